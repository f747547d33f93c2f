"""Acting on links: what is remembered of them, and for how long somebody who waits for an answer acts on them."""

from __future__ import annotations

import pytest

from orchestrator.core.inbox import Identified
from orchestrator.runtime import linking
from orchestrator.runtime.ingest import Told
from orchestrator.runtime.linked_ingest import ingest_linked
from orchestrator.runtime.linking import link_once, new_links
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol_identity import Link
from tests.stores.driving import START, create, index_of, later


@pytest.fixture
def store() -> MemoryStore:
    store = MemoryStore()
    store.deploy(index_of(), START)
    return store


def test_a_link_of_somebody_who_comes_later_is_not_forgotten(store: MemoryStore) -> None:
    link = Link("anonymous", "a1", "u1", START)
    refused = ingest_linked(store, [Told("u1", Identified({"email": 7}))], START, [link]).refused
    assert refused and store.resolve("u1") is None, "what brought it could not be taken"
    ingest_linked(store, [Told("u1", Identified({"first_name": "Ana"}))], later(1), [link._replace(at=later(1))])
    assert store.resolve("a1") == "u1"


def test_a_value_that_is_nobodys_is_told_once_whoever_it_comes_with(store: MemoryStore) -> None:
    for n in range(5):
        told = Told(f"u{n}", Identified({}))
        ingest_linked(store, [told], later(n), [Link("anonymous", "undefined", f"u{n}", later(n))])
    assert [item.reason for item in store.refused(10)] == ["blocked: never"]
    assert new_links(store, [Link("anonymous", "undefined", "u9", later(30))], later(30)), "and once more after a while"


def test_who_waits_for_an_answer_acts_on_links_for_a_moment(
    store: MemoryStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    create(store, "u1")
    links = [Link("anonymous", f"a{n}", "u1", START) for n in range(10)]
    monkeypatch.setattr(linking, "ANSWERED_WITHIN", 0.0)
    ingest_linked(store, [Told("u1", Identified({}))], START, links)
    assert len(store.links(99)) == 9, "the others wait"
    assert link_once(store, later(1), seconds=0.0).added == 1
    assert link_once(store, later(1)).added == 8
    assert store.resolve("a9") == "u1" and not store.links(99)
