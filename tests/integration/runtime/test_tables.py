"""Configuration tables follow their topics; a broken record harms no other."""

from __future__ import annotations

import asyncio

from mailroom_contracts import Address, Portal, tombstone
from mailroom_contracts import topics as names
from mailroom_runtime.bus.kafka import Producer
from mailroom_runtime.bus.tables import ConfigTables
from mailroom_runtime.process.service import Service
from mailroom_runtime.process.settings import ServiceSettings
from mailroom_runtime.process.tasks import end
from support.waiting import eventually


def address(number: int, **changes: object) -> Address:
    row = Address(id=f"ad{number}", portal_id="p1", kind="internal", email=f"a{number}@acme.example", queue_id="q1")
    return row.model_copy(update=changes)


async def test_tables_read_to_the_end_and_follow(kafka: str, topics: str) -> None:
    settings = ServiceSettings(kafka=kafka, topic_prefix=topics, partitions=4)
    service = Service("test", settings)
    async with Producer(settings, source="test") as producer:
        await producer.send(names.PORTALS, Portal(id="p1", name="Acme", domains=["acme.example"]))
        for number in range(20):
            await producer.send(names.ADDRESSES, address(number))
        await (
            await producer.post_raw(names.ADDRESSES.full_name(topics), key=b"broken", value=b'{"id": 7}', headers=[])
        )
        tables = ConfigTables(settings)
        changes: list[str] = []
        tables.on_change(lambda topic, key, row: changes.append(key))
        await asyncio.wait_for(tables.start(service), 30)
        assert len(tables.book.addresses) == 20
        assert tables.fresh()
        assert service.health.report()["conditions"] == {"config": {"ok": True}}
        found = tables.book.address_by_email("A7@ACME.example")
        assert found is not None
        assert found.id == "ad7"
        portal = tables.book.portal_of_domain("acme.example")
        assert portal is not None
        assert portal.id == "p1"

        await producer.send(names.ADDRESSES, address(7, email="other@acme.example"))
        await producer.send_record(tombstone(names.ADDRESSES, "ad8", source="test"))
        await eventually(lambda: tables.book.address_by_email("other@acme.example") is not None)
        await eventually(lambda: tables.book.addresses.get("ad8") is None)
        assert tables.book.address_by_email("a7@acme.example") is None
        assert changes.count("ad7") == 2
    await end(*service._tasks)
