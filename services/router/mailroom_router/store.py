"""Ticket states of one partition on local disk (RocksDB), so that a million tickets need not fit into memory.

The truth is the compacted topic `tickets`; this is its copy up to `checkpoint`, thrown away without loss. Of a ticket
there is its state, or only where in the topic its state lies (`directory`), until somebody asks for it.
"""

from __future__ import annotations

import fcntl
import json
import os
import secrets
import shutil
import time
from collections import OrderedDict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from mailroom_contracts import TicketState, decode_as
from rocksdict import BlockBasedOptions, Cache, Options, Rdict, WriteBatch, WriteOptions

from . import directory

CACHED = 1_000  # decoded states per partition, 20 to 40 kB each: eight partitions must fit into 512 MB with the rest
ERASED_KEPT_S = 7 * 86400.0  # far longer than anything is read twice after a crash
_STATE, _WAITING, _ERASED, _DRAWER = b"s", b"w", b"e", b"l"
_CHECKPOINT = b"checkpoint"
_CHECKPOINT_OF_LOCATED = b"located"  # in its place where not all states are here: a router of before reads them all
_WAITS = b'"wants_online":true'  # as pydantic writes it; within a string the quotes would be escaped
_SNOOZED = b'"snoozed_until":'  # as a state has it that was put aside


def may_wait(value: bytes) -> bool:
    """Whether a state, as a record has it, may be of a ticket that waits for an online agent or was put aside."""
    return _WAITS in value or _SNOOZED in value


class Slot:
    """A folder that this process alone uses: the first free one of this machine, so that a restart finds its data."""

    def __init__(self, root: Path) -> None:
        root.mkdir(parents=True, exist_ok=True)
        number = 0
        while True:
            self.folder = root / str(number)
            self.folder.mkdir(exist_ok=True)
            self._lock = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                os.close(self._lock)
                number += 1

        mark = self.folder / "name"
        if not mark.exists():
            mark.write_text(secrets.token_hex(8))
        self.name = mark.read_text()
        """No other worker's, on this machine or another; the same after a restart."""

    def release(self) -> None:
        """Let another process have it."""
        os.close(self._lock)


class Store:
    """States by ticket id, the tickets that wait for an agent, and how far the topic was read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._open()

    def _open(self) -> None:
        options = Options(raw_mode=True)
        options.create_if_missing(True)
        options.set_write_buffer_size(8 << 20)
        options.set_max_write_buffer_number(3)
        # A whole read brings the tickets in no order: merging after each fourth buffer took more than half of its time.
        options.set_level_zero_file_num_compaction_trigger(16)
        options.set_level_zero_slowdown_writes_trigger(48)
        options.set_level_zero_stop_writes_trigger(64)
        options.set_keep_log_file_num(2)
        options.set_max_background_jobs(1)
        table = BlockBasedOptions()
        table.set_block_cache(Cache(8 << 20))
        table.set_bloom_filter(10, False)
        options.set_block_based_table_factory(table)
        self._db = Rdict(str(self._folder), options)
        self._without_log = WriteOptions()
        setattr(self._without_log, "disable_wal", True)  # noqa: B010 - a property, which its type stub takes for a method
        self._unlogged = False
        self._cache: OrderedDict[str, TicketState] = OrderedDict()
        located = self._db.get(_CHECKPOINT_OF_LOCATED) is not None
        if located and self._db.get(_CHECKPOINT) is not None:  # a router of before has read all states since
            batch = WriteBatch(raw_mode=True)
            batch.delete(_CHECKPOINT_OF_LOCATED)
            self._forget_drawers(batch)
            self._db.write(batch)
            located = False
        self._checkpoint = _CHECKPOINT_OF_LOCATED if located else _CHECKPOINT

    @property
    def checkpoint(self) -> int:
        """The next offset of `tickets` to read."""
        return int(self._db.get(self._checkpoint) or 0)

    @property
    def _is_located(self) -> bool:
        """Whether there may be states that are in the topic alone; where not, nothing is looked for."""
        return self._checkpoint == _CHECKPOINT_OF_LOCATED

    def get(self, ticket_id: str) -> TicketState | None:
        """The state, or None when there is no such ticket."""
        if (state := self._cache.get(ticket_id)) is not None:
            self._cache.move_to_end(ticket_id)
            return state
        value = self._db.get(_STATE + ticket_id.encode())
        if value is None:
            return None
        state = decode_as(TicketState, value)
        self._remember(state)
        return state

    def missing(self, ticket_id: str) -> int | None:
        """The offset of a state that is in the topic alone; None when it is here, or there is no such ticket."""
        if not self._is_located or ticket_id in self._cache or self._db.get(_STATE + ticket_id.encode()) is not None:
            return None
        found = self._line(directory.mark(ticket_id))
        return directory.spot_of(found).offset if found is not None else None

    def locate(self, parts: Iterable[bytes], checkpoint: int) -> Iterator[int]:
        """Take a directory over in place of states, of which there must be none here; it is done when the iterator ends.

        Goes on from part to part, for who has something else to do. The checkpoint comes last: broken off, all is begun anew.
        """
        begun = WriteBatch(raw_mode=True)  # by a process that did not come to its end
        self._forget_drawers(begun)
        self._db.write(begun)
        for number, lines in enumerate(parts):
            batch = WriteBatch(raw_mode=True)
            for drawer, some in directory.by_drawer(directory.entries(lines).values()).items():
                batch.put(_drawer_key(drawer), some)
            self._db.write(batch)
            yield number
        last = WriteBatch(raw_mode=True)
        last.delete(_CHECKPOINT)
        last.put(_CHECKPOINT_OF_LOCATED, str(checkpoint).encode())
        self._db.write(last)
        self._checkpoint = _CHECKPOINT_OF_LOCATED

    @staticmethod
    def _forget_drawers(batch: WriteBatch) -> None:
        for number in range(directory.DRAWERS):
            batch.delete(_drawer_key(number))

    def _line(self, mark: bytes) -> bytes | None:
        lines = self._db.get(_drawer_key(directory.drawer(mark)))
        return directory.find(lines, mark) if lines is not None else None

    def waiting_elsewhere(self) -> list[int]:
        """The offsets, ascending, where tickets lay that may wait for an agent or a time, when it was told where they lie."""
        found: list[int] = []
        for number in range(directory.DRAWERS if self._is_located else 0):
            if lines := self._db.get(_drawer_key(number)):
                found += (directory.spot_of(line).offset for line in directory.waiting(lines))
        return sorted(found)

    def bring(self, ticket_id: str, value: bytes, offset: int, *, wanted: bool = True) -> TicketState | None:
        """Keep a state that was in the topic alone, at this offset. None where something else is known by now.

        `wanted`: soon; else it does not take a place among the remembered, which are what most memory goes to. Raises
        `Undecodable`.
        """
        if self.missing(ticket_id) != offset:
            return None
        state = decode_as(TicketState, value)
        self.write({ticket_id: state}, encoded={ticket_id: value})
        if not wanted:
            self._cache.pop(ticket_id, None)
        return state

    def erased(self, ticket_id: str) -> tuple[str, ...]:
        """Of a ticket that was erased: the last inputs that it had, by their causes. Empty for all others."""
        value = self._db.get(_ERASED + ticket_id.encode())
        return tuple(json.loads(value)[1]) if value is not None else ()

    def _remember(self, state: TicketState) -> None:
        self._cache[state.id] = state
        self._cache.move_to_end(state.id)
        while len(self._cache) > CACHED:
            self._cache.popitem(last=False)

    def write(
        self,
        states: Mapping[str, TicketState | None],
        checkpoint: int | None = None,
        encoded: Mapping[str, bytes | None] | None = None,
        erased: Mapping[str, Sequence[str]] | None = None,
    ) -> None:
        """Write (or with None delete) states; all at once with the checkpoint. `encoded`: their values, where known;
        `erased`: what is kept of those that were erased."""
        batch = WriteBatch(raw_mode=True)
        self._forget_lines(batch, [ticket_id for ticket_id, state in states.items() if state is None])
        for ticket_id, state in states.items():
            key = ticket_id.encode()
            if state is None:
                batch.delete(_STATE + key)
                batch.delete(_WAITING + key)
                self._cache.pop(ticket_id, None)
                if erased and ticket_id in erased:
                    batch.put(_ERASED + key, json.dumps([time.time(), list(erased[ticket_id])]).encode())
                continue
            value = encoded.get(ticket_id) if encoded else None
            if value is None:
                value = state.__pydantic_serializer__.to_json(state, by_alias=True, exclude_none=True)
            batch.put(_STATE + key, value)
            waits = state.wants_online and state.assignee_id is None and state.status != "closed"
            if waits or state.snoozed_until is not None:
                batch.put(_WAITING + key, b"1")
            else:
                batch.delete(_WAITING + key)
            self._remember(state)
        if checkpoint is not None:
            batch.put(self._checkpoint, str(checkpoint).encode())
        if self._unlogged:  # or a crash would leave this checkpoint without what was taken before it
            self._db.flush()
            self._unlogged = False
        self._db.write(batch)

    def take(self, values: Mapping[str, bytes | None], checkpoint: int) -> None:
        """Take states over as the topic has them, undecoded: a take-over must not cost a second per 10,000.

        They are not in RocksDB's own log: after a crash the store is as it was a moment before, its checkpoint too.
        """
        batch = WriteBatch(raw_mode=True)
        self._forget_lines(batch, [ticket_id for ticket_id, value in values.items() if value is None])
        for ticket_id, value in values.items():
            key = ticket_id.encode()
            self._cache.pop(ticket_id, None)
            if value is None:
                batch.delete(_STATE + key)
                batch.delete(_WAITING + key)
                continue
            batch.put(_STATE + key, value)
            if may_wait(value):
                batch.put(_WAITING + key, b"1")
            else:
                batch.delete(_WAITING + key)
        batch.put(self._checkpoint, str(checkpoint).encode())
        self._db.write(batch, self._without_log)
        self._unlogged = True

    def _forget_lines(self, batch: WriteBatch, gone: Iterable[str]) -> None:
        """Of erased tickets it must not say any more where they lie."""
        changed: dict[bytes, bytes] = {}
        for ticket_id in gone:
            mark = directory.mark(ticket_id)
            key = _drawer_key(directory.drawer(mark))
            lines = changed[key] if key in changed else self._db.get(key)
            if lines is not None and (line := directory.find(lines, mark)) is not None:
                at = lines.index(line)
                changed[key] = lines[:at] + lines[at + len(line) :]
        for key, lines in changed.items():
            batch.put(key, lines)

    def waiting(self) -> Iterator[TicketState]:
        """Every ticket that waits for an online agent, or was put aside until a time."""
        for key in self._db.keys(from_key=_WAITING):
            if not isinstance(key, bytes) or not key.startswith(_WAITING):
                break
            if (value := self._db.get(_STATE + key[1:])) is not None:
                yield decode_as(TicketState, value)  # looked at once: not worth a place among the remembered

    def compact(self) -> None:
        """Let nothing of what was deleted stay in the files. Takes a second for a hundred thousand tickets."""
        for key in self._db.keys(from_key=_ERASED):
            if not isinstance(key, bytes) or not key.startswith(_ERASED):
                break
            value = self._db.get(key)
            if value is not None and json.loads(value)[0] < time.time() - ERASED_KEPT_S:
                self._db.delete(key)
        self._db.flush()
        self._db.compact_range(None, None)

    def clear(self) -> None:
        """Throw everything away; the topic has it."""
        self._db.close()
        shutil.rmtree(self._folder, ignore_errors=True)
        self._open()

    def close(self) -> None:
        """Let go of the files."""
        self._db.close()


def _drawer_key(number: int) -> bytes:
    return _DRAWER + number.to_bytes(2, "big")
