"""Consent: what opens, what closes, what ends by itself, what has to be confirmed."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.claim import check_claim
from orchestrator.core.consent import OWN, choices_in, reopens
from orchestrator.core.inbox import Body, ConsentChanged, Identified
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Arrival
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns

PLACE = ("promotions", "email")
NEWS = {**WRITES, "topic": "promotions"}
DOUBLE = {"topics": {"promotions": {"class": "promotional", "opt_in": "double"}, "orders": {"class": "transactional"}}}
PROOF = {"ip": "203.0.113.7"}


def store_of(project: dict[str, Any] | None = None) -> MemoryStore:
    store = MemoryStore(keep_journal=True)
    store.deploy(index_of({"news": NEWS}, **({"project": project} if project else {})), START)
    create(store, "u1", consents={})
    return store


def take(store: MemoryStore, body: Body, minutes: float) -> None:
    arrive(store, "u1", body, later(minutes))
    turns(store, later(minutes))


def state(store: MemoryStore) -> str | None:
    card = store.card("u1")
    assert card is not None and card.customer is not None
    return card.customer.consents.get(PLACE)


def reasons(store: MemoryStore) -> list[str]:
    return [t.data["reason"] for t in store.journal("u1") if t.type == "suppressed"]


def asked(store: MemoryStore) -> list[Any]:
    return [m.row for m in store.latest_messages(100) if m.row.journey == "double_opt_in"]


# --- consent that ends ------------------------------------------------------------------------------------------------


def test_implied_consent_counts_until_it_ends() -> None:
    store = store_of()
    take(store, ConsentChanged(*PLACE, "in", "form", expires_at=later(60)), 0)
    take(store, event(order="1", at=later(59)), 59)
    assert len(store.latest_messages(9)) == 1 and reasons(store) == []
    take(store, event(order="2", at=later(60)), 60)
    assert len(store.latest_messages(9)) == 1 and reasons(store) == ["no_consent"]
    take(store, ConsentChanged(*PLACE, "in", "form"), 61)
    take(store, event(order="3", at=later(62)), 62)
    assert len(store.latest_messages(9)) == 2


def test_what_was_given_for_good_is_not_cut_short() -> None:
    store = store_of()
    take(store, ConsentChanged(*PLACE, "in", "form"), 0)
    take(store, ConsentChanged(*PLACE, "in", "import", expires_at=later(5)), 1)
    take(store, event(order="1", at=later(10)), 10)
    assert len(store.latest_messages(9)) == 1


def test_service_messages_need_no_consent_that_could_end() -> None:
    store = MemoryStore(keep_journal=True)
    topics = {"care": {"class": "service"}}
    store.deploy(index_of({"care": {**WRITES, "topic": "care"}}, project={"topics": topics}), START)
    create(store, "u1", consents={})
    take(store, ConsentChanged("care", "email", "in", expires_at=later(1)), 0)
    take(store, event(order="1", at=later(9)), 9)
    assert len(store.latest_messages(9)) == 1


# --- what opens again -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("said", "relayed", "opens"),
    [
        ({"source": "page"}, False, True),
        ({"source": "sms"}, False, True),
        ({}, False, True),
        ({"source": "api"}, False, False),
        ({"source": "import"}, False, False),
        ({"source": "form"}, True, False),
        ({"source": "form", "at": later(2)}, True, True),
        ({"source": "form", "at": later(0)}, True, False),
        ({"source": "form", "at": later(1)}, True, False),
        ({"source": "import", "at": later(2)}, True, False),
        ({"source": "import", "at": later(2), "proof": PROOF}, True, True),
        ({"source": "api", "at": later(2), "proof": PROOF}, False, True),
        ({"source": "api", "at": later(2), "proof": {}}, False, False),
        ({"source": "import", "at": later(2), "proof": {}}, True, False),
    ],
)
def test_only_a_newer_choice_of_the_persons_own_opens_again(said: dict[str, Any], relayed: bool, opens: bool) -> None:
    assert reopens(ConsentChanged(*PLACE, "in", **said), later(1), relayed) is opens


_SAID = st.fixed_dictionaries(
    {"state": st.sampled_from(["in", "out"])},
    optional={
        "at": st.integers(0, 40).map(later),
        "source": st.sampled_from(["import", "form", "api", "page"]),
        "proof": st.sampled_from([PROOF, {}]),
    },
)
_TRAITS = st.builds(
    lambda said, silent: Identified({"consents": {"promotions": {"email": said}}}, silent), _SAID, st.booleans()
)
_OWN = st.builds(
    lambda state, source: ConsentChanged(*PLACE, state, source),
    st.sampled_from(["in", "out"]), st.sampled_from(["", "page", "form", "sms", "api", "import"]),
)  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(_TRAITS | _OWN, max_size=12), st.booleans())
def test_nothing_relayed_ever_resurrects_an_opt_out(items: list[Body], together: bool) -> None:
    """Any order of imports, traits and choices, one turn each or all in one, against the rule written out once more."""
    store = store_of()
    expected: str | None = None
    out_at: datetime | None = None
    for number, item in enumerate(items, 1):
        now = later(number)
        relayed = isinstance(item, Identified)
        choice = next(choices_in(item.traits, item.silent)) if isinstance(item, Identified) else item
        at = now if choice.at is None else min(choice.at, now)
        if choice.state == "out":
            if not relayed or expected != "out":
                out_at = max(at, out_at) if expected == "out" and out_at is not None else at
            expected = "out"
        elif expected != "out":
            expected = "in"
        else:
            assert out_at is not None
            spoken = choice.source in OWN or (bool(choice.proof) and choice.at is not None)
            if spoken and (choice.at > out_at if choice.at is not None else not relayed):
                expected = "in"
        store.ingest([Arrival("u1", now, item)])
        if not together:
            turns(store, now)
    turns(store, later(len(items)))
    if not together:
        assert state(store) == expected
    last_out = max((n for n, item in enumerate(items) if _is_out(item)), default=-1)
    spoken_since = any(_may_open(item) for item in items[last_out + 1 :])
    if last_out >= 0 and not spoken_since:
        assert state(store) == "out"


def _is_out(item: Body) -> bool:
    choice = next(choices_in(item.traits, item.silent)) if isinstance(item, Identified) else item
    assert isinstance(choice, ConsentChanged)
    return choice.state == "out"


def _may_open(item: Body) -> bool:
    if isinstance(item, Identified):
        choice = next(choices_in(item.traits, item.silent))
        return choice.at is not None and (choice.source in OWN or bool(choice.proof))
    assert isinstance(item, ConsentChanged)
    return item.source in OWN


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ("maybe", "is not shaped"),
        ({"state": "in", "colour": 1}, "says 'colour'; it may say state, source"),
        ({"state": "in", "source": "gossip"}, "`source` is 'gossip'"),
        ({"state": "in", "proof": "yes"}, "`proof` is no object"),
        ({"state": "in", "expires_at": "soon"}, "expected an instant"),
        ({"state": "in", "at": 5}, "`at` is no instant"),
    ],
)
def test_what_is_shaped_otherwise_says_so(said: Any, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        list(choices_in({"consents": {"promotions": {"email": said}}}, silent=False))


# --- double opt-in ----------------------------------------------------------------------------------------------------


def test_an_opt_in_is_pending_until_it_is_confirmed() -> None:
    store = store_of(DOUBLE)
    take(store, ConsentChanged(*PLACE, "in", "form"), 0)
    assert state(store) == "pending" and [row.to for row in asked(store)] == ["u1@example.com"]
    take(store, event(order="1", at=later(1)), 1)
    assert reasons(store) == ["no_consent"]
    take(store, ConsentChanged(*PLACE, "in", "confirm", proof={"message": asked(store)[0].id}), 2)
    take(store, event(order="2", at=later(3)), 3)
    assert state(store) == "in" and len(store.latest_messages(9)) == 2
    assert [row.state for row in store.consent_log("u1")] == ["pending", "in"]


def test_nobody_is_asked_more_than_once_a_day() -> None:
    store = store_of(DOUBLE)
    for minutes in (0, 1, 60 * 23):
        take(store, ConsentChanged(*PLACE, "in", "form"), minutes)
    assert len(asked(store)) == 1
    turns(store, later(60 * 24))
    take(store, ConsentChanged(*PLACE, "in", "form"), 60 * 24 + 1)
    assert len(asked(store)) == 2
    assert len({row.id for row in asked(store)}) == 2


def test_who_is_out_stays_out_until_it_is_confirmed() -> None:
    store = store_of(DOUBLE)
    take(store, ConsentChanged(*PLACE, "out", "page"), 0)
    take(store, ConsentChanged(*PLACE, "in", "form"), 1)
    assert state(store) == "out" and len(asked(store)) == 1
    take(store, ConsentChanged(*PLACE, "in", "confirm"), 2)
    assert state(store) == "in"


@pytest.mark.parametrize(("source", "proof"), [("page", None), ("operator", None), ("sms", None), ("import", PROOF)])
def test_what_is_proven_asks_no_more(source: str, proof: Any) -> None:
    store = store_of(DOUBLE)
    take(store, ConsentChanged(*PLACE, "in", source, proof=proof), 0)
    assert state(store) == "in" and asked(store) == []


def test_an_import_without_proof_is_pending_and_mails_nobody() -> None:
    store = store_of(DOUBLE)
    take(store, Identified({"consents": {"promotions": {"email": "in"}}}, silent=True), 0)
    assert state(store) == "pending" and asked(store) == []


def test_a_suppressed_address_is_not_asked() -> None:
    store = store_of(DOUBLE)
    store.suppress([("email", "u1@example.com", "bounced")], START)
    take(store, ConsentChanged(*PLACE, "in", "form"), 0)
    assert asked(store) == [] and reasons(store) == ["bounced"]


def test_the_message_that_asks_passes_the_claim_though_there_is_no_consent() -> None:
    store = store_of(DOUBLE)
    take(store, ConsentChanged(*PLACE, "in", "form"), 0)
    [claimed] = store.claim_messages(later(1), 10)
    verdict = check_claim(claimed, store.index.project, store.switches(), store.suppressions(), "0", later(1))
    assert verdict.action == "send"
