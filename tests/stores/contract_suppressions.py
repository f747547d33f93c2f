"""The suppression list with its hashed entries, and soft bounces: what every store promises."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestrator.core.plus_addresses import put_as, softness_of, unmarked
from orchestrator.core.suppression import HALF_LIFE, hashed_entry
from orchestrator.stores.protocol import Store
from tests.stores.driving import START, arrive, create, event, index_of, later, turns

MAILS = {
    "topic": "orders",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"email": "hello"}],
}
BEFORE_ALL = ("", "", "")


class SuppressionContract:
    """Tests of `suppressed`, hashed entries, `soften` and `unsoften`."""

    @pytest.mark.parametrize("hidden", [False, True])
    def test_an_entry_refuses_at_the_decision(self, store: Store, hidden: bool) -> None:
        store.deploy(index_of({"mails": MAILS}), START)
        create(store, "ana", "ben")
        address = store.card("ana").customer.email  # type: ignore[union-attr]
        place = hashed_entry(store.salt, "email", address) if hidden else ("email", address)
        store.suppress([(*place, "bounced")], START)
        for customer in ("ana", "ben"):
            arrive(store, customer, event(order="1"), later(1))
        turns(store, later(1))
        lines = [t for t in store.journal("ana") if t.type == "suppressed"]
        assert [line.data["reason"] for line in lines] == ["bounced"]
        assert [c.row.customer_id for c in store.claim_messages(later(1), 10)] == ["ben"]

    def test_a_hashed_entry_is_found_by_its_address_and_at_the_claim(self, store: Store) -> None:
        store.deploy(index_of({"mails": MAILS}), START)
        create(store, "ana")
        arrive(store, "ana", event(order="1"), later(1))
        turns(store, later(1))
        address = store.card("ana").customer.email  # type: ignore[union-attr]
        store.suppress(
            [(*hashed_entry(store.salt, "email", address), "suppressed"), ("email", address, "bounced")], START
        )
        found = store.suppressions()
        assert found["email", address] == {"suppressed", "bounced"}
        assert found.get(("email", "other@example.com")) is None
        [claimed] = store.claim_messages(later(1), 10)
        assert store.suppressions().get(("email", claimed.row.to)) == {"suppressed", "bounced"}
        store.unsuppress([("email", address, "bounced")])
        listed = store.suppressed(BEFORE_ALL, 10)
        assert [(s.channel, s.cause) for s in listed] == [("#email", "suppressed")]
        assert address not in listed[0].address

    def test_the_list_comes_in_pages(self, store: Store) -> None:
        entries = [
            (channel, f"{name}@example.com", "bounced") for channel in ("#email", "email", "sms") for name in "aBcz"
        ]
        store.suppress([*entries, ("email", "a@example.com", "complained")], later(3))
        found, after = [], BEFORE_ALL
        while page := store.suppressed(after, 4):
            assert len(page) <= 4
            found += page
            after = page[-1][:3]
        assert sorted(entry[:3] for entry in found) == sorted([*entries, ("email", "a@example.com", "complained")])
        assert {entry.at for entry in found} == {later(3)}

    def test_soft_bounces_add_up_fade_and_are_forgotten(self, store: Store) -> None:
        day = timedelta(days=1)
        assert store.soften("a", START, HALF_LIFE) == 1.0
        assert store.soften("a", START, HALF_LIFE) == 2.0, "another one in the same pass"
        assert store.soften("a", START + HALF_LIFE, HALF_LIFE) == pytest.approx(2.0)
        assert store.soften("b", START, HALF_LIFE) == 1.0
        later_at = START + HALF_LIFE + day
        assert store.soften("a", later_at, HALF_LIFE, START + HALF_LIFE + day / 2) == 1.0, "it got something meanwhile"
        store.unsoften("a")
        store.unsoften("a")
        assert store.soften("a", later_at, HALF_LIFE) == 1.0

    @pytest.mark.parametrize("apart", [False, True])
    def test_an_erasure_closes_the_mailbox_or_only_its_own_plus_address(self, store: Store, apart: bool) -> None:
        channels = {"email": {"plus_addresses": "apart" if apart else "together"}}
        store.deploy(index_of({"mails": MAILS}, project={"channels": channels}), START)
        create(store, "ana", email="ana+shop@example.com")
        create(store, "ben", email="ana@example.com")
        own = put_as("complained", "email", "ana+shop@example.com", apart, store.salt)
        store.suppress([("email", "ana@example.com", own)], START)
        name = softness_of("email", "ana+shop@example.com", "ana@example.com", apart, store.salt)
        softly = "".join(hashed_entry(store.salt, "email", name)).removeprefix("#")
        assert store.soften(softly, START, HALF_LIFE) == 1.0
        assert store.erase("ana", later(1), later(1), "operator", apart) is not None
        assert store.soften(softly, later(1), HALF_LIFE) == 1.0, "what was before is forgotten"
        listed = store.suppressed(BEFORE_ALL, 10)
        emails = [entry for entry in listed if entry.channel == "#email"]
        assert [unmarked(entry.cause) for entry in emails] == ["complained", "suppressed"]
        assert {unmarked(entry.cause) != entry.cause for entry in emails} == {apart}
        create(store, "eve", email="Ana+Shop@example.com")
        for customer in ("ben", "eve"):
            arrive(store, customer, event(order="1"), later(2))
        turns(store, later(2))
        assert [t.data["reason"] for t in store.journal("eve") if t.type == "suppressed"] == ["suppressed"]
        reached = [claimed.row.customer_id for claimed in store.claim_messages(later(2), 10)]
        assert reached == (["ben"] if apart else [])
