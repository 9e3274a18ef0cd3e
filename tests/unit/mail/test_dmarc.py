"""DMARC by RFC 9989: policies and organisations found by walking up the DNS, with the zones written down here."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_mail.trust.dmarc import MOST_QUESTIONS, discover, evaluate, organisation, parse_record, policies_of
from mailroom_mail.trust.verdict_records import DkimVerdict

ROWS = Path(__file__).parents[4] / "shared" / "cases" / "25-dmarc-tree-walk" / "rows.jsonl"


class Zone:
    """TXT records by name, names that exist, and what was asked."""

    def __init__(self, txt: dict[str, list[str]], exist: Sequence[str] = ()) -> None:
        self.txt, self.exist, self.asked = txt, exist, list[str]()

    def texts(self, name: str) -> list[str]:
        self.asked.append(name)
        return self.txt.get(name, [])

    def exists(self, name: str) -> bool:
        return any(one == name or one.endswith("." + name) for one in (*self.exist, *self.txt))

    def judge(
        self, domain: str, spf_domain: str, spf: str = "pass", dkim: Sequence[DkimVerdict] = ()
    ) -> tuple[str, str | None]:
        policy = discover(domain, self.texts, self.exists)
        return evaluate(policy, spf, spf_domain, dkim, lambda name: organisation(name, self.texts)), policy.asked


def rows() -> list[dict[str, Any]]:
    return [json.loads(line) for line in ROWS.read_text().splitlines()] if ROWS.is_file() else []


@pytest.mark.skipif(not ROWS.is_file(), reason=f"../shared is not here ({ROWS})")
@pytest.mark.parametrize("row", rows(), ids=lambda row: str(row["name"]))
def test_rows(row: dict[str, Any]) -> None:
    zone = Zone(row["txt"], row["names_that_exist"])
    assert zone.judge(row["from_domain"], row["spf_pass_for"]) == (row["dmarc"], row["policy"])


@pytest.mark.parametrize(
    ("text", "policy"),
    [
        ("v=DMARC1; p=reject", "reject"),
        ("v = DMARC1 ;p= Quarantine ;", "quarantine"),
        ("v=DMARC1;p=none;x=y;;", "none"),
        ("v=DMARC1; p=reject; sp=none; rua=mailto:a@b.test", "reject"),
        ("v=DMARC1", None),
        ("v=DMARC1; sp=reject", None),
        ("v=DMARC1; p=block", None),
        ("v=DMARC1; p=block; rua=mailto:a@b.test!10m", "none"),
        ("v=DMARC1; p=reject; np=block; rua=mailto:a@b.test", "none"),
        ("v=DMARC1; p=reject; np=block", None),
        ("v=DMARC1; rua=nonsense", None),
        ("v=DMARC12; p=reject", None),
        ("v=dmarc1; p=reject", None),
        (" v=DMARC1; p=reject", None),
        ("p=reject; v=DMARC1", None),
        ("V=DMARC1; p=reject", "reject"),
        ("v=DMARC1; p=reject; P=none; p =none", None),
        ("v=DMARC1; P=reject", None),
        ("", None),
    ],
)
def test_records(text: str, policy: str | None) -> None:
    record = parse_record(text)
    found = policies_of(record) if record is not None else None
    assert (found["p"] if found is not None else None) == policy


def test_failing_is_only_what_was_looked_up() -> None:
    zone = Zone({"_dmarc.shop.test": ["v=DMARC1; p=reject"]}, ["shop.test"])
    assert zone.judge("shop.test", "", "unknown") == ("none", "reject")
    assert zone.judge("shop.test", "shop.test", "temperror") == ("temperror", "reject")
    assert zone.judge("shop.test", "else.test", "temperror") == ("fail", "reject")
    passed = [DkimVerdict("mail.shop.test", "pass")]
    assert zone.judge("shop.test", "", "unknown", passed) == ("pass", "reject")
    assert zone.judge("shop.test", "", "fail", [DkimVerdict("shop.test", "temperror")]) == ("temperror", "reject")


_NAME = st.lists(st.sampled_from("ab"), min_size=1, max_size=12).map(lambda labels: ".".join([*labels, "test"]))
_RECORD = st.sampled_from(
    ["v=DMARC1; p=reject", "v=DMARC1; p=none; sp=quarantine", "v=DMARC1; p=none; np=reject", "v=DMARC1; p=reject; psd=y",
     "v=DMARC1; p=quarantine; psd=n", "v=DMARC1; p=reject; t=y", "v=spf1 -all", "v=DMARC1"]
)  # fmt: skip


@given(st.dictionaries(_NAME.map("_dmarc.{}".format), st.lists(_RECORD, max_size=2), max_size=8), _NAME, _NAME)
def test_at_most_eight_questions_and_one_organisation(txt: dict[str, list[str]], domain: str, other: str) -> None:
    zone = Zone(txt)
    policy = discover(domain, zone.texts, zone.exists)
    assert len(zone.asked) <= MOST_QUESTIONS
    assert domain == policy.organisation or domain.endswith("." + policy.organisation)
    zone.asked.clear()
    assert organisation(domain, zone.texts) == policy.organisation
    assert len(zone.asked) <= MOST_QUESTIONS
    aligned = zone.judge(domain, other)[0] == "pass"
    if policy.asked is None:
        assert not aligned
    else:
        assert aligned == (domain == other or organisation(other, zone.texts) == policy.organisation)


def test_the_name_itself_is_asked_for_only_where_it_matters() -> None:
    """np= counts for names that do not exist: one more question to DNS, not for every mail."""
    asked: list[str] = []

    def exists(name: str) -> bool:
        asked.append(name)
        return True

    for record in ("v=DMARC1; p=reject", "v=DMARC1; p=none; sp=reject; np=reject"):
        zone = Zone({"_dmarc.shop.test": [record]})
        discover("a.shop.test", zone.texts, exists)
    assert not asked
    discover("a.shop.test", Zone({"_dmarc.shop.test": ["v=DMARC1; p=none; np=reject"]}).texts, exists)
    assert asked == ["a.shop.test"]
