#!/usr/bin/env bash
# aiokafka 0.14.0: where a fetch brings readable records and behind them a batch that cannot be decoded (here: a codec that
# is not installed), `getmany` raises at once and hands out none of the readable ones; the position stays before them, so the
# next fetch brings the same and ends the same, for as long as the batch is there. One would expect the readable records
# first and the error when nothing else is left, as the error reads as if Kafka were away, and a consumer polls again.
#
# Seen (Python 3.11):
#   first call:  UnsupportedCodecError UnsupportedCodecError: Libraries for snappy compression codec not found
#   second call: [] position 0
#   handed out: 0 of 3 readable records
# Exits non-zero when that changes.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check aiokafka==0.14.0
cat >"$folder/try.py" <<'PYTHON'
import asyncio

from aiokafka import TopicPartition
from aiokafka.consumer.fetcher import FetchResult, PartitionRecords
from aiokafka.consumer.subscription_state import Assignment
from aiokafka.record.default_records import DefaultRecordBatchBuilder
from aiokafka.record.memory_records import MemoryRecords


def batch(base: int, count: int) -> bytearray:
    builder = DefaultRecordBatchBuilder(
        2, 0, is_transactional=0, producer_id=-1, producer_epoch=-1, base_sequence=0, batch_size=10_000
    )
    for number in range(count):
        builder.append(number, timestamp=1, key=b"k", value=b"v", headers=[])
    made = bytearray(builder.build())
    made[0:8] = base.to_bytes(8, "big")  # the base offset is the broker's to say, and not under the CRC
    return made


async def main() -> None:
    from aiokafka.record.util import calc_crc32c

    unknown = batch(3, 1)
    unknown[22] |= 2  # attributes: compressed by snappy, whose codec (cramjam) is not installed here
    unknown[17:21] = calc_crc32c(bytes(unknown[21:])).to_bytes(4, "big")
    tp = TopicPartition("t", 0)
    assignment = Assignment([tp])
    assignment.state_value(tp).seek(0)
    records = PartitionRecords(tp, MemoryRecords(bytes(batch(0, 3) + unknown)), [], 0, None, None, True, 0)
    result = FetchResult(tp, assignment=assignment, partition_records=records, backoff=0)
    handed = []
    try:
        handed += result.getall()
        print("first call: ", len(handed), "records")
    except Exception as error:
        print("first call: ", type(error).__name__, error)
    again = result.getall()
    handed += again
    position = assignment.state_value(tp).position
    print("second call:", again, "position", position)
    print("handed out:", len(handed), "of 3 readable records")
    raise SystemExit(0 if not handed and position == 0 else 1)


asyncio.run(main())
PYTHON
"$folder/venv/bin/python" "$folder/try.py"
