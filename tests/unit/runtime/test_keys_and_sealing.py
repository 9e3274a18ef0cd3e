"""Key rings and sealed secrets."""

from __future__ import annotations

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from mailroom_runtime.seals.keyring import parse_keys
from mailroom_runtime.seals.sealing import SealBroken, Sealer

OLD, NEW = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))


def test_the_first_key_comes_first() -> None:
    assert list(parse_keys(f"k2:{NEW}, k1:{OLD}")) == ["k2", "k1"]
    assert parse_keys("") == {}


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("k1", "ID:BASE64"),
        (f"k 1:{OLD}", "ID:BASE64"),
        ("k1:***", "not base64"),
        ("k1:c2hvcnQ=", "needs 32"),
        (f"k1:{OLD},k1:{NEW}", "stands twice"),
    ],
)
def test_a_wrong_key_is_named_and_not_shown(text: str, says: str) -> None:
    with pytest.raises(ValueError, match="MAILROOM_SECRET_KEYS") as error:
        parse_keys(text)
    assert says in str(error.value)
    assert OLD not in str(error.value)


@given(secret=st.text(), owner=st.text())
def test_what_was_sealed_opens_for_its_owner_only(secret: str, owner: str) -> None:
    sealer = Sealer({"k1": b"1" * 32})
    sealed = sealer.seal(secret, bound_to=owner)
    assert sealer.open(sealed, bound_to=owner) == secret
    with pytest.raises(SealBroken):
        sealer.open(sealed, bound_to=owner + "x")


def test_rotation() -> None:
    old, both = Sealer({"k1": b"1" * 32}), Sealer({"k2": b"2" * 32, "k1": b"1" * 32})
    sealed = old.seal("hunter2", bound_to="a")
    assert both.open(sealed, bound_to="a") == "hunter2"
    assert both.needs_rotation(sealed)
    assert not both.needs_rotation(both.seal("hunter2", bound_to="a"))
    with pytest.raises(SealBroken, match="'k2'"):
        old.open(both.seal("hunter2", bound_to="a"), bound_to="a")


@pytest.mark.parametrize("broken", ["", "sealed:k1", "sealed:k1:***", "plain", "sealed:k1:" + "A" * 40])
def test_a_broken_seal_is_an_error_without_content(broken: str) -> None:
    with pytest.raises(SealBroken):
        Sealer({"k1": os.urandom(32)}).open(broken, bound_to="a")


def test_the_sealer_does_not_show_its_keys() -> None:
    assert "1111" not in repr(Sealer({"k1": b"1" * 32}))
