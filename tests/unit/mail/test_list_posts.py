"""Who wrote a mail that came through a mailing list: what real list managers write, and what nobody may be fooled by."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from mailroom_mail import ListPost, classify, read
from mailroom_mail.threads.list_post import is_list_control, list_post

SHARED = Path(__file__).parents[4] / "shared" / "lists"
with_shared = pytest.mark.skipif(not SHARED.is_dir(), reason=f"../shared is not here ({SHARED})")
OURS = "acme.example"
MAILMAN = (
    "X-Mailman-Version: 3.3.10",
    "List-Id: Users <users.lists.example>",
    "List-Post: <mailto:users@lists.example>",
)


def post_of(*fields: str, body: str = "Where is it?", path: str | None = None) -> ListPost | None:
    raw = "\r\n".join([*fields, "Message-ID: <1@x.example>", "", body]).encode()
    return classify(read(raw), path).list_post


def rows() -> list[dict[str, Any]]:
    if not SHARED.is_dir():
        return []
    return [json.loads(line) for line in (SHARED / "expect.jsonl").read_text().splitlines()]


@with_shared
@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["file"]))
def test_real_list_managers(row: dict[str, Any]) -> None:
    mail = read((SHARED / row["file"]).read_bytes())
    kind = classify(mail, row["return_path"])
    post = kind.list_post
    if row["notice"]:
        assert post is not None
        assert (post.notice, post.author, post.digest) == (True, None, row["digest"])
        assert kind.automatic_signs, "a program's own word is never answered by itself"
        return
    author = post.author if post is not None else mail.from_
    found = author.email if author is not None and not author.email.endswith(OURS) else None
    assert found == row["person"]
    if post is not None:
        assert found not in post.addresses
        assert not post.notice
        assert "via" not in (author.name if author else "")
        assert {box.email for box in mail.to if "@lists." in box.email} <= {*post.addresses}
        assert kind.automatic_signs, "who is behind a list gets an automatic reply only where the list is named"


@with_shared
def test_a_post_of_a_person_leaves_no_automatic_sign_but_the_lists_own() -> None:
    names = {
        "mailman-0002.eml",
        "mailman-0014.eml",
        "sympa-0012.eml",
        "sympa-0037.eml",
        "mlmmj-0012.eml",
        "sympa-0025.eml",
    }
    for row in rows():
        if row["file"] in names:
            kind = classify(read((SHARED / row["file"]).read_bytes()), row["return_path"])
            assert kind.list_post is not None
            assert {*kind.automatic_signs} == {*kind.list_post.signs}, row["file"]
            names.discard(row["file"])
    assert not names


@with_shared
@pytest.mark.parametrize("path", sorted((SHARED / "cases").glob("2-*/*.eml")), ids=lambda path: path.name)
def test_control_addresses_of_mlmmj(path: Path) -> None:
    kind = classify(read(path.read_bytes()), json.loads(path.with_suffix(".env").read_text())["from"])
    assert kind.automatic_signs
    assert kind.list_post is not None
    if path.name == "0013.eml":  # a person's post
        assert kind.list_post.author is not None
        assert kind.is_list
    else:
        assert kind.list_post.notice
        assert kind.list_post.digest is (path.name == "0051.eml")


@with_shared
@pytest.mark.parametrize("name", ["wrapfoot.eml", "wraptext.eml", "wrapfoot-html-attachment.eml"])
def test_what_a_list_wrapped_is_shown(name: str) -> None:
    mail = read((SHARED / "cases" / "3-only-footer-shown" / name).read_bytes())
    assert mail.text.strip().startswith("Hello,")
    assert "mailing list" not in mail.text
    assert "wrapped because" not in mail.text
    if "html" in name:
        assert mail.html is not None
        assert "<b>where</b>" in mail.html
        assert [file.filename for file in mail.attachments] == ["shot.png"]


@pytest.mark.parametrize(
    ("fields", "author"),
    [
        (("From: Rita via Users <users@lists.example>", "Reply-To: Rita <rita@x.example>"), "rita@x.example"),
        (("From: Rita über Users <users@lists.example>", "Reply-To: Own <own@x.example>, Rita <rita@x.example>"), "rita@x.example"),
        (("From: Rita via Users <users@lists.example>", "Reply-To: users@lists.example", "Cc: Rita <rita@x.example>"), "rita@x.example"),
        # another name than the phrase's: somebody else stands there
        (("From: Rita via Users <users@lists.example>", "Reply-To: Eve <eve@x.example>"), None),
        (("From: Rita via Users <users@lists.example>", "Reply-To: eve@x.example"), None),
        (("From: rita--- via Users <users@lists.example>", "Reply-To: rita@x.example"), "rita@x.example"),
        # a phrase without the list's name behind it was not written by Mailman
        (("From: Rita <users@lists.example>", "Reply-To: Rita <rita@x.example>"), None),
        (("From: Users <users@lists.example>", "Reply-To: users@lists.example"), None),
        # two mailboxes where one must stand
        (("From: users@lists.example", "X-Original-From: Eve <eve@x.example>, rita@x.example"), None),
        (("From: users@lists.example", "X-Original-From: users@lists.example"), None),
        (("From: users@lists.example", 'X-Original-From: "Reject, Rita" <rita@x.example>'), "rita@x.example"),
        (("From: users@lists.example", "X-Original-Sender: rita@x.example"), "rita@x.example"),
        (("From: users@lists.example", "From: users@lists.example", "X-Original-From: r@x.example"), None),
    ],
)  # fmt: skip
def test_one_rule_for_all(fields: tuple[str, ...], author: str | None) -> None:
    post = post_of(*fields, *MAILMAN)
    assert post is not None
    assert post.rewritten
    assert (post.author.email if post.author else None) == author
    assert "users@lists.example" in post.addresses


def test_without_the_managers_own_mark_reply_to_is_no_author() -> None:
    post = post_of(
        "From: Rita via Users <users@lists.example>",
        "Reply-To: Rita <rita@x.example>",
        "List-Id: <users.lists.example>",
    )
    assert post is not None
    assert post.author is None


def test_what_somebody_forwards_from_a_list_is_not_wrapped_by_it() -> None:
    """Only where the same list had both in hand; and an attached message stays an attachment."""
    inner = "From: Eve <eve@x.example>\r\nList-Id: <other.lists.example>\r\n\r\nsecret\r\n"
    body = f"--b\r\nContent-Type: message/rfc822\r\n\r\n{inner}\r\n--b--\r\n"
    post = post_of(
        "From: Rita via Users <users@lists.example>", *MAILMAN, "Content-Type: multipart/mixed; boundary=b", body=body
    )
    assert post is not None
    assert post.author is None


@pytest.mark.parametrize(
    "address",
    ["l+owner@x.example", "L+help@x.example", "l+release-38104d2428d3742f@x.example", "l+subscribe-digest@x.example",
     "l+confunsub-619e00d614f739b8-help=shop.example@x.example", "l+bounces-help@x.example", "l+moderate-1a@x.example",
     "plain-confirm+56283fc97c43b113369c9a5ff4f29c2ce0e460c1@x.example"],
)  # fmt: skip
def test_addresses_that_only_programs_read(address: str) -> None:
    assert is_list_control(address)
    post = post_of(f"From: {address}", "To: support@acme.example")
    assert post is not None
    assert post.notice


@pytest.mark.parametrize(
    "address", ["jo+shopping@x.example", "owner@x.example", "help@x.example", "jo+helper@x.example", "jo+owners@x.example",
                "support+2mfzxq@x.example", "release-notes@x.example", "jo@x.example"],
)  # fmt: skip
def test_addresses_of_people(address: str) -> None:
    assert not is_list_control(address)
    assert post_of(f"From: {address}", "To: support@acme.example") is None


_WORD = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), max_size=30)
_BOX = st.one_of(
    st.sampled_from(
        ["users@lists.example", "rita@x.example", "users+owner@lists.example", "users-request@lists.example", ""]
    ),
    st.builds("{} <{}>".format, _WORD, st.sampled_from(["users@lists.example", "rita@x.example"])),
    _WORD,
)
_FIELD = st.sampled_from(
    ["From", "Reply-To", "Cc", "To", "Sender", "X-Original-From", "X-Original-Sender", "X-Mailman-Version", "List-Id",
     "List-Post", "X-BeenThere", "Mailing-List"]
)  # fmt: skip


@example([("From", "users@lists.example"), *[("List-Id", "users@lists.example")] * 5], None)
@example([("From", "users@lists.example"), *[("List-Id", f"w{n}.rita") for n in range(12)]], None)
@given(st.lists(st.tuples(_FIELD, _BOX), max_size=12), st.sampled_from([None, "", "users+bounces-4-a=b@lists.example"]))
def test_a_lists_address_is_never_its_author(fields: list[tuple[str, str]], path: str | None) -> None:
    """Whatever stands in the fields: who is named as the author is none of the list's addresses, nor its program's."""
    head = [*fields, ("List-Id", "<users.lists.example>")]
    mail = read("\r\n".join([f"{name}: {value}" for name, value in head] + ["", "x"]).encode("utf-8", "replace"))
    post = list_post(mail, path)
    assert post is not None
    if post.author is not None:
        assert post.author.email.lower() not in post.addresses
        assert post.author.email.lower() != "users@lists.example"


@pytest.mark.parametrize("many", [2_000, 4_000])
def test_time_is_linear(many: int) -> None:
    import time

    boxes = ", ".join(f"a{n}-owner-request@lists.example" for n in range(many))
    mail = read(
        f"From: {'x-' * many}@lists.example\r\nTo: {boxes}\r\nReply-To: {boxes}\r\nList-Id: <u.lists.example>\r\n\r\nx".encode()
    )
    began = time.process_time()
    list_post(mail, "a" * many + "+bounces-" + "1" * many)
    assert time.process_time() - began < 0.5
