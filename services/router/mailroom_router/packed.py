"""How the index packs what it knows: many small entries in one hash of Valkey, which keeps such a hash as one string.

A key of its own costs Valkey about 90 bytes beside what it holds, an entry of a small hash four. What names tickets lies
in `BUCKETS` hashes, and what is known of a ticket in `TICKET_BUCKETS` others; which one, and under which field, a digest
says. At the default `hash-max-listpack-entries` of 512 that holds for 12 million tickets; with more it works as well,
and takes the memory that single keys do. Pure.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

BUCKETS = 1 << 17
TICKET_BUCKETS = 1 << 16
INLINE = 48
"""Bytes of an entry that names tickets: three of 16; where it is full, or empty, a set of its own has (further) ones."""
_HEX = re.compile(r"[0-9a-f]{32}")
_DAY_ONE = date(2020, 1, 1)
_PLACE, _CUSTOMER, _DAY = 5, 6, 2


def digest(*parts: str, size: int) -> bytes:
    """A digest of the parts, which hold no NUL."""
    return hashlib.blake2b("\0".join(parts).encode("utf-8", "surrogateescape"), digest_size=size).digest()


def spot(kind: str, portal: str, name: str) -> tuple[int, bytes]:
    """Bucket and field of what names tickets: 17 bits and 8 bytes of one digest, so that none is met by chance."""
    whole = hashlib.blake2b(f"{kind}\0{portal}\0{name}".encode("utf-8", "surrogateescape"), digest_size=3 + 8).digest()
    return (whole[0] << 16 | whole[1] << 8 | whole[2]) % BUCKETS, whole[3:]


def packed(ticket: str) -> bytes:
    """A ticket's id in 16 bytes; one that is no digest (there is none but in tests) in another number, and not in 14."""
    if _HEX.fullmatch(ticket):
        return bytes.fromhex(ticket)
    text = b"=" + ticket.encode()
    return text if len(text) not in (14, 16) else b"=" + text


def unpacked(data: bytes) -> str:
    """What `packed` packed."""
    return data.hex() if len(data) == 16 else data.lstrip(b"=").decode()


def ticket_spot(ticket: str) -> tuple[int, bytes]:
    """Bucket and field of a ticket's own entry. The bucket is a part of the id, and the field is the rest of it."""
    data = packed(ticket)
    if len(data) != 16:
        return int.from_bytes(digest("t", ticket, size=2), "big"), data
    return int.from_bytes(data[:2], "big"), data[2:]


def ticket_at(bucket: int, field: bytes) -> bytes:
    """The packed id of the ticket with this entry."""
    return field if len(field) != 14 else bucket.to_bytes(2, "big") + field


def split(inline: bytes) -> list[str]:
    """The tickets of an entry."""
    return [inline[at : at + 16].hex() for at in range(0, len(inline), 16)]


def place_code(place: str) -> bytes:
    """What stands for portal, queue and address of a ticket."""
    return digest("place", place, size=_PLACE)


def customer_mark(email: str) -> str:
    """What the index knows a ticket's customer by: enough to know them again, and nothing that could be read."""
    return "#" + digest("customer", email, size=_CUSTOMER).hex()


@dataclass(frozen=True, slots=True)
class TicketEntry:
    """What is known of a ticket. `place`: a code; `closed`: the day when it was closed, None while it is not."""

    place: bytes
    customer: str
    closed: date | None

    def encoded(self) -> bytes:
        """As it lies in Valkey: 13 bytes."""
        days = (self.closed - _DAY_ONE).days if self.closed else 0
        return self.place + bytes.fromhex(self.customer[1:]) + min(max(days, 0), 0xFFFF).to_bytes(_DAY, "big")

    @classmethod
    def decoded(cls, data: bytes) -> TicketEntry:
        """What `encoded` encoded."""
        days = int.from_bytes(data[_PLACE + _CUSTOMER :], "big")
        customer = "#" + data[_PLACE : _PLACE + _CUSTOMER].hex()
        return cls(data[:_PLACE], customer, _DAY_ONE + timedelta(days=days) if days else None)


LONG_AGO = TicketEntry(bytes(_PLACE), "#" + "0" * 2 * _CUSTOMER, _DAY_ONE + timedelta(days=1)).encoded()
"""The entry of a ticket that is to be forgotten, whichever it was."""


def kept_since(kept_days: int) -> date:
    """The index forgets what was closed before this day."""
    return datetime.now(UTC).date() - timedelta(days=kept_days)


def is_over(closed: date | None, kept_days: int) -> bool:
    """Whether a ticket was closed for so long that the index forgets it."""
    return closed is not None and closed < kept_since(kept_days)


# The buckets' scripts. Each entry's set of further tickets has the bucket's key and the field as its name.

# Adds a ticket to what a field names; `has` is what it has inline (false: there is no such field).
_ADD_ONE = """
local function add(key, field, has, ticket, most)
  for at = 1, #(has or ''), 16 do if string.sub(has, at, at + 15) == ticket then return has end end
  if #ticket == 16 and (not has or (#has > 0 and #has < 48)) then
    has = (has or '') .. ticket
    redis.call('HSET', key, field, has)
    return has
  end
  local more = key .. ':' .. field
  if not has then redis.call('HSET', key, field, '') end
  if redis.call('SCARD', more) + #(has or '') / 16 < most then redis.call('SADD', more, ticket) end
  return has or ''
end
"""

# KEYS: buckets. ARGV: the most tickets of one entry, then for each key 8 bytes of field and the packed ticket: what a
# client writes costs it by the piece.
ADD = (
    _ADD_ONE
    + """
local most = tonumber(ARGV[1])
for i = 1, #KEYS do
  local field = string.sub(ARGV[i + 1], 1, 8)
  add(KEYS[i], field, redis.call('HGET', KEYS[i], field), string.sub(ARGV[i + 1], 9), most)
end
return #KEYS
"""
)

# For filling an index from all tickets. A client pays for each argument, so there is one: `DATA`, in which there are for
# each bucket 3 bytes of its number, 2 of how many entries follow (Lua takes 4,000 at most), and these. KEYS: what the buckets'
# names begin with. A bucket is read and written as a whole: nine of ten fields are new, or name one ticket.
_EACH_BUCKET = """
local begin, data, at = KEYS[1], ARGV[1], 1
local function bucket(size)
  local a, b, c, d, e = string.byte(data, at, at + 4)
  local first = at + 5
  at = first + (d * 256 + e) * size
  return begin .. string.format('%x', (a * 256 + b) * 256 + c), first, at - 1
end
"""

# Entries: 8 bytes of field, 16 of ticket. ARGV[2]: the most tickets of one entry.
ADD_MANY = (
    _ADD_ONE
    + _EACH_BUCKET
    + """
local most = tonumber(ARGV[2])
while at <= #data do
  local key, first, last = bucket(24)
  local fields, named, more = {}, {}, {}
  for i = first, last, 24 do
    local field, ticket = string.sub(data, i, i + 7), string.sub(data, i + 8, i + 23)
    if not named[field] then
      named[field] = ticket
      fields[#fields + 1] = field
    elseif named[field] ~= ticket then
      more[#more + 1] = field
      more[#more + 1] = ticket
    end
  end
  local there, pairs = redis.call('HMGET', key, unpack(fields)), {}
  for n, field in ipairs(fields) do
    local has, ticket = there[n], named[field]
    if not has then
      pairs[#pairs + 1] = field
      pairs[#pairs + 1] = ticket
    elseif has ~= ticket then
      add(key, field, has, ticket, most)
    end
  end
  if #pairs > 0 then redis.call('HSET', key, unpack(pairs)) end
  for i = 1, #more, 2 do add(key, more[i], redis.call('HGET', key, more[i]), more[i + 1], most) end
end
return 1
"""
)

# Entries: 14 bytes of field and 13 of value. The last of a field counts.
SET_MANY = (
    _EACH_BUCKET
    + """
while at <= #data do
  local key, first, last = bucket(27)
  local pairs = {}
  for i = first, last, 27 do
    pairs[#pairs + 1] = string.sub(data, i, i + 13)
    pairs[#pairs + 1] = string.sub(data, i + 14, i + 26)
  end
  redis.call('HSET', key, unpack(pairs))
end
return 1
"""
)

# KEYS: buckets. ARGV: a field for each. Answers 0, packed tickets in one string, or that and the further ones.
FIND = """
local found = {}
for i = 1, #KEYS do
  local has = redis.call('HGET', KEYS[i], ARGV[i])
  if not has then found[i] = 0
  elseif #has > 0 and #has < 48 then found[i] = has
  else found[i] = {has, redis.call('SMEMBERS', KEYS[i] .. ':' .. ARGV[i])} end
end
return found
"""

# KEYS: a bucket. ARGV: pairs of a field and a packed ticket that it is to name no more.
DROP = """
for i = 1, #ARGV, 2 do
  local field, ticket = ARGV[i], ARGV[i + 1]
  local has, more = redis.call('HGET', KEYS[1], field), KEYS[1] .. ':' .. field
  if has then
    local rest = ''
    for at = 1, #has, 16 do
      local one = string.sub(has, at, at + 15)
      if one ~= ticket then rest = rest .. one end
    end
    redis.call('SREM', more, ticket)
    if rest ~= has or rest == '' then
      if rest == '' and redis.call('EXISTS', more) == 0 then redis.call('HDEL', KEYS[1], field)
      elseif #has == 48 and redis.call('EXISTS', more) == 1 then
        -- further ones are only looked for beside an entry that is full or empty
        for at = 1, #rest, 16 do redis.call('SADD', more, string.sub(rest, at, at + 15)) end
        redis.call('HSET', KEYS[1], field, '')
      else redis.call('HSET', KEYS[1], field, rest) end
    end
  end
end
return 0
"""

# KEYS: a bucket of tickets. ARGV: pairs of a field and the value that it is taken away with; another value stays.
DROP_TICKETS = """
for i = 1, #ARGV, 2 do
  if redis.call('HGET', KEYS[1], ARGV[i]) == ARGV[i + 1] then redis.call('HDEL', KEYS[1], ARGV[i]) end
end
return 0
"""

# KEYS: buckets. ARGV: for each a field and 13 bytes of value.
SET = """
for i = 1, #KEYS do redis.call('HSET', KEYS[i], string.sub(ARGV[i], 1, -14), string.sub(ARGV[i], -13)) end
return #KEYS
"""

# KEYS: buckets. ARGV: a field for each. Answers a value for each, 0 where there is none.
GET = """
local found = {}
for i = 1, #KEYS do found[i] = redis.call('HGET', KEYS[i], ARGV[i]) or 0 end
return found
"""
