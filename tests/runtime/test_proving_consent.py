"""The prover reads out of the ledger of consent what the engine decided by: of any choices, at any instant."""

from __future__ import annotations

from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.consent import state_at
from orchestrator.core.inbox import ConsentChanged, Identified
from orchestrator.core.ledger import Message
from orchestrator.core.program import MessageClass
from orchestrator.core.sends import Contact, CustomerSends
from orchestrator.insights.proof import Prover
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Arrival
from tests.stores.driving import START, index_of, turns

PLACE = ("promotions", "email")
TOPICS = {
    "promotions": {"class": "promotional", "title": "Offers", "opt_in": "double"},
    "care": {"class": "service"},
    "orders": {"class": "transactional"},
}


def later(hours: float) -> datetime:
    return START + timedelta(hours=hours)


_CHOICES = st.lists(
    st.tuples(
        st.sampled_from(["in", "out"]),
        st.sampled_from(["page", "page", "form"]),
        st.none() | st.integers(1, 40),
    ),
    min_size=1,
    max_size=6,
)


def sent(klass: MessageClass, handed_at: datetime) -> Contact:
    row = Message(
        "e.s.1", "u1", "e", "j", "v", "u1", "s", 1, "email", "promotions", klass, "hello", "h", None, "u1@example.com",
        {}, handed_at, handed_at, 1,
    )  # fmt: skip
    return Contact(row, handed_at, "sent")


@settings(max_examples=120, deadline=None)
@given(_CHOICES, st.sampled_from(["promotional", "service"]))
def test_prover_and_engine_agree_whom_may_be_written_to(
    choices: list[tuple[str, str, int | None]], klass: MessageClass
) -> None:
    """Each choice comes two hours after the one before it, an end some hours after its choice. A message is looked at
    an hour after each choice, and after the last end."""
    store = MemoryStore(keep_journal=True)
    store.deploy(index_of(project={"topics": TOPICS}), START)
    store.ingest([Arrival("u1", START, Identified({"email": "u1@example.com"}, silent=True))])
    turns(store, START)
    allowed: dict[datetime, bool] = {}

    def look(at: datetime) -> None:
        turns(store, at)
        card = store.card("u1")
        assert card is not None and card.customer is not None
        state = state_at(card.customer, PLACE, at)
        allowed[at] = state == "in" if klass == "promotional" else state != "out"

    for number, (state, source, ends) in enumerate(choices):
        at = later(2 * number)
        ends_at = at + timedelta(hours=ends, minutes=30) if ends is not None and state == "in" else None
        choice = ConsentChanged(*PLACE, state, source, expires_at=ends_at)  # type: ignore[arg-type]
        store.ingest([Arrival("u1", at, choice)])
        turns(store, at)
        look(at + timedelta(hours=1))
    look(later(2 * len(choices) + 50))
    card = store.card("u1")
    assert card is not None and card.customer is not None
    ledger = tuple(store.consent_log("u1"))
    for at, may in allowed.items():
        prover = Prover(store.index.project, lambda *_: (), START, later(500))
        prover.add(CustomerSends(card.customer, (sent(klass, at),), (), ledger))
        found = prover.proof().violations
        broken = found["after_opt_out"] + found["without_consent"]
        assert (broken == 0) is may, (at, found, ledger)
