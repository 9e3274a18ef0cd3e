"""Copies of models are pydantic's own, only quicker."""

from __future__ import annotations

import pytest
from mailroom_contracts import Person, Portal
from mailroom_contracts.ids import derive
from pydantic import BaseModel, ValidationError


def test_a_copy_is_what_pydantic_makes_of_it() -> None:
    portal = Portal(id="p1", name="Acme", domains=["acme.example"])
    for update in (None, {}, {"name": "Other"}):
        ours, theirs = portal.model_copy(update=update), BaseModel.model_copy(portal, update=update)
        assert ours == theirs
        assert ours.model_fields_set == theirs.model_fields_set
        assert ours.model_dump_json() == theirs.model_dump_json()
    assert portal.name == "Acme"
    assert portal.model_copy().domains is portal.domains
    assert portal.model_copy(deep=True).domains is not portal.domains


def test_a_copy_is_frozen_too() -> None:
    with pytest.raises(ValidationError):
        Person(email="jo@customer.example").model_copy(update={"name": "Jo"}).name = "Ann"  # type: ignore[misc]


def test_derived_ids_stay_what_they_were() -> None:
    assert derive("receipt", "a", "ü\udc80") == derive("receipt", "a", "ü\udc80")
    assert derive("ab", "c") != derive("a", "bc")
    assert derive("ticket", "p1", "q1", "root", "jo@customer.example") == "c58ee03f568567ae1c3185862975e9d7"
