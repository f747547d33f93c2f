"""Addresses cleaned: what has one form takes it, and is left alone from then on."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from orchestrator.core.inbox import Identified
from orchestrator.insights.cleaning import findings_of, is_disposable
from orchestrator.runtime.cleaning import clean_customers
from orchestrator.runtime.ingest import ingest_once
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.memory import MemoryStore
from tests.stores.driving import index_of

NOW = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("email", "kinds"),
    [
        ("ana@example.com", []),
        (" Ana@Example.COM ", ["normalised"]),
        ("ana@bücher.example", ["normalised"]),
        ("ana.example.com", ["invalid"]),
        ("Info@example.com", ["normalised", "role"]),
        ("info+x@example.com", ["role"]),
        ("ana@mailinator.com", ["disposable"]),
        ("ana@eu.mailinator.com", ["disposable"]),
        ("", []),
    ],
)
def test_of_an_email(email: str, kinds: list[str]) -> None:
    assert [found.kind for found in findings_of({"id": "u1", "email": email})] == kinds


def test_of_a_phone() -> None:
    [found] = findings_of({"id": "u1", "phone": "912 345 678", "country": "PT"})
    assert (found.kind, found.proposal) == ("normalised", "+351912345678")
    assert [f.kind for f in findings_of({"id": "u1", "phone": "912 345 678"})] == ["invalid"]
    assert list(findings_of({"id": "u1", "phone": "+351912345678"})) == []


def test_a_domain_is_no_part_of_another() -> None:
    assert (
        is_disposable("mailinator.com") and not is_disposable("mailinator.com.example.org") and not is_disposable("com")
    )


def test_applied_once_there_is_nothing_left() -> None:
    store = MemoryStore()
    store.deploy(index_of(), NOW)
    told = {"u1": {"email": "Ana@Example.com", "phone": "+351 912 345 678"}, "u2": {"email": "info@example.com"}}
    ingest_once(store, [(id, Identified(traits)) for id, traits in told.items()], NOW)
    turn_once(store, NOW)
    assert len(list(clean_customers(store, NOW))) == 3
    assert [found.kind for found in clean_customers(store, NOW, apply=True)] == ["normalised", "normalised", "role"]
    turn_once(store, NOW)
    assert [found.kind for found in clean_customers(store, NOW)] == ["role"]
    card = store.card("u1")
    assert card is not None and card.customer is not None
    assert (card.customer.email, card.customer.phone) == ("ana@example.com", "+351912345678")
