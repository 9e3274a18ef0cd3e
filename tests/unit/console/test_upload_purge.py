"""Files that no reply used are deleted after 30 days; those that anything may still refer to never are."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from mailroom_console.problems import Problem
from mailroom_console.storage.database import Database
from mailroom_runtime.blobs.store import BlobsDown
from support.upload_desk import UploadDesk


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[UploadDesk]:
    made = UploadDesk(Database(f"sqlite+aiosqlite:///{tmp_path / 'console.db'}"), tmp_path / "blobs")
    await made.start()
    yield made
    await made.database.close()


async def test_what_no_reply_used_goes_after_thirty_days(desk: UploadDesk) -> None:
    unused, used = await desk.give("unused", b"1"), await desk.give("used", b"2")
    await desk.reply(used)
    desk.later(days=29)
    assert await desk.purge() == 0
    desk.later(days=2)
    assert await desk.purge() == 1
    assert desk.blobs() == 1
    with pytest.raises(Problem) as refused:
        await desk.reply(unused)
    assert refused.value.status == 404
    await desk.reply(used)
    assert await desk.purge() == 0


async def test_what_a_draft_names_waits_for_it(desk: UploadDesk) -> None:
    named = await desk.give("named")
    await desk.draft(named, "no-such-file")
    desk.later(days=90)
    assert await desk.purge() == 0
    await desk.reply(named)


async def test_pictures_within_a_draft_wait_for_it(desk: UploadDesk) -> None:
    reply, note, gone = await desk.give("a", b"1"), await desk.give("b", b"2"), await desk.give("c", b"3")
    await desk.draft(html=f'<img src="cid:{reply}@pictures.mailroom">',
                     note_html=f'<img src="cid:{note}@pictures.mailroom">')  # fmt: skip
    desk.later(days=90)
    assert await desk.purge() == 1
    await desk.reply(reply, note)
    with pytest.raises(Problem):
        await desk.reply(gone)


async def test_given_again_it_stays_thirty_days_more(desk: UploadDesk) -> None:
    await desk.give("a")
    desk.later(days=20)
    again = await desk.give("a")
    desk.later(days=20)
    assert await desk.purge() == 0
    await desk.reply(again)
    desk.later(days=90)
    await desk.give("a")
    desk.later(days=31)
    assert await desk.purge() == 0, "giving it again does not take back that a reply used it"


async def test_a_blob_that_two_files_share_goes_with_the_last(desk: UploadDesk) -> None:
    await desk.give("one name")
    await desk.give("another name")
    desk.later(days=20)
    await desk.give("another name")
    desk.later(days=11)
    assert (await desk.purge(), desk.blobs()) == (1, 1)
    desk.later(days=20)
    assert (await desk.purge(), desk.blobs()) == (1, 0)


async def test_a_used_blob_outlives_its_file_s_other_names(desk: UploadDesk) -> None:
    await desk.reply(await desk.give("used"))
    await desk.give("unused")
    desk.later(days=31)
    assert (await desk.purge(), desk.blobs()) == (1, 1)


async def test_what_an_event_names_stays_though_the_database_had_forgotten_it(desk: UploadDesk) -> None:
    await desk.give("a", b"1")
    going = await desk.give("b", b"2")
    desk.later(days=31)
    await desk.recorded(b"1")
    remover, desk.remover = desk.remover, Away()
    with pytest.raises(BlobsDown):
        await desk.purge()
    await desk.recorded(b"2")
    desk.remover = remover
    assert (await desk.purge(), desk.blobs()) == (0, 2)
    await desk.reply(going)


async def test_a_blob_store_that_is_away_is_asked_again(desk: UploadDesk) -> None:
    upload = await desk.give("a")
    desk.later(days=31)
    remover, desk.remover = desk.remover, Away()
    with pytest.raises(BlobsDown):
        await desk.purge()
    with pytest.raises(Problem):
        await desk.reply(upload)  # nothing may refer to it while nobody knows whether its blob is there
    desk.remover = remover
    assert (await desk.purge(), desk.blobs()) == (1, 0)


async def test_given_again_while_it_goes_it_is_there(desk: UploadDesk) -> None:
    await desk.give("a")
    desk.later(days=31)
    remover, desk.remover = desk.remover, Away()
    with pytest.raises(BlobsDown):
        await desk.purge()
    desk.remover = remover
    upload = await desk.give("a")
    assert (await desk.purge(), desk.blobs()) == (0, 1)
    await desk.reply(upload)


class Away:
    """A blob store that does not answer."""

    async def remove(self, key: str) -> None:
        raise BlobsDown(f"nobody hears of {key}")
