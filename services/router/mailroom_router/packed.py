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
    whole = digest(kind, portal, name, size=11)
    return int.from_bytes(whole[:3], "big") % BUCKETS, whole[3:]


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


def is_over(closed: date | None, kept_days: int) -> bool:
    """Whether a ticket was closed for so long that the index forgets it."""
    return closed is not None and (datetime.now(UTC).date() - closed).days > kept_days


# The buckets' scripts. Each entry's set of further tickets has the bucket's key and the field as its name.

# KEYS: buckets. ARGV: the most tickets of one entry, then for each key 8 bytes of field and the packed ticket: what a
# client writes costs it by the piece.
ADD = """
for i = 1, #KEYS do
  local field, ticket = string.sub(ARGV[i + 1], 1, 8), string.sub(ARGV[i + 1], 9)
  local has = redis.call('HGET', KEYS[i], field) or ''
  local known = false
  for at = 1, #has, 16 do known = known or string.sub(has, at, at + 15) == ticket end
  if not known then
    if #ticket == 16 and #has < 48 then
      if not (has == '' and redis.call('HEXISTS', KEYS[i], field) == 1) then
        redis.call('HSET', KEYS[i], field, has .. ticket)
        known = true
      end
    end
    if not known then
      local more = KEYS[i] .. ':' .. field
      if has == '' then redis.call('HSET', KEYS[i], field, '') end
      if redis.call('SCARD', more) + #has / 16 < tonumber(ARGV[1]) then redis.call('SADD', more, ticket) end
    end
  end
end
return #KEYS
"""

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
