#!/usr/bin/env bash
# aiokafka 0.14.0: an idempotent producer whose partition has no leader for longer than request_timeout_ms drops the batch
# after its sequence number was counted, although nothing was sent.
#
# One would expect a record that was never sent to leave no gap: the next batch should carry sequence number 0. It carries 1,
# which a broker refuses (OUT_OF_ORDER_SEQUENCE_NUMBER), and so it does for everything this producer sends to the
# partition from then on. Only a new producer helps.
#
# Output seen:
#   aiokafka 0.14.0
#   the record failed with LeaderNotAvailableError; sent to a broker: 0 batches
#   next sequence number of the partition: 1
set -euo pipefail
folder=$(mktemp -d); trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" -q install aiokafka==0.14.0
"$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import sys

import aiokafka
from aiokafka.errors import KafkaError
from aiokafka.producer.message_accumulator import MessageAccumulator
from aiokafka.producer.transaction_manager import TransactionManager
from aiokafka.structs import TopicPartition


class NoLeader:
    """The cluster as a client knows it while a partition's only broker is away."""

    def leader_for_partition(self, partition):
        return -1


async def main():
    partition = TopicPartition("mail", 0)
    numbers = TransactionManager(None, 1000)
    numbers.set_pid_and_epoch(7, 0)
    waiting = MessageAccumulator(NoLeader(), 16384, 0, 0.1, txn_manager=numbers)
    record = await waiting.add_message(partition, b"key", b"value", 1)
    await asyncio.sleep(0.2)
    sent, _ = waiting.drain_by_nodes(ignore_nodes=[])
    try:
        await record
    except KafkaError as error:
        failed = type(error).__name__
    print("aiokafka", aiokafka.__version__)
    print(f"the record failed with {failed}; sent to a broker: {len(sent)} batches")
    print("next sequence number of the partition:", numbers.sequence_number(partition))
    return 0 if not sent and numbers.sequence_number(partition) == 1 else 1


sys.exit(asyncio.run(main()))
PYTHON
