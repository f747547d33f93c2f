"""Messages that came to a bad end, on the command line."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from orchestrator.core.inbox import Event, Identified, Occurred
from orchestrator.core.transition import Transition
from orchestrator.runtime.turns import turn_once
from orchestrator.stores.protocol import Arrival, Settlement
from orchestrator.wiring.installation import installation, real_now


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def failed(cli: Any, project: Path) -> list[str]:
    """Two messages that came to a bad end: the earlier one unknown, the later one rejected."""
    (project / "journeys" / "once.yaml").write_text(
        "journey: once\ntopic: orders\nenter: {event: order_placed, key: event.order_id, reentry: always}\n"
        "steps:\n  - email: welcome\n"
    )
    deployed = cli("deploy", "--yes")
    assert deployed.code == 0, deployed.err
    with installation(Path(".")) as place:
        place.adopt()
        now = place.journey_now()
        store = place.store
        for n in range(2):
            store.ingest(
                [
                    Arrival(f"u{n}", now, Identified({"email": f"u{n}@example.com", "consents": {}}, silent=True)),
                    Arrival(f"u{n}", now, Occurred(Event("order_placed", now, {"order_id": str(n)}, f"e{n}"))),
                ]
            )
        while turn_once(store, now).customers:
            pass
        found = {}
        for claimed in store.claim_messages(now, 10, real_now()):
            found.setdefault(claimed.row.customer_id, claimed)
        ids = []
        for customer, status, why in (("u0", "unknown", "timed out"), ("u1", "rejected", "550 no such user")):
            claimed = found[customer]
            line = Transition(now, customer, 99, "outcome", data={"status": status}, values={"error": why})
            store.settle_messages([Settlement(claimed.row.id, customer, status, [line], fence=claimed.fence)], now)
            ids.append(claimed.row.id)
    return ids


def test_bad_ends_are_listed_and_sent_again(cli: Any, failed: list[str]) -> None:
    unknown, rejected = failed
    listed = cli("messages", "list")
    assert listed.code == 0 and "550 no such user" in listed.out and unknown in listed.out
    [only] = cli("messages", "list", "--status", "unknown", "--json").json
    assert (only["id"], only["status"], only["reason"], only["customer"]) == (unknown, "unknown", "timed out", "u0")
    assert len(cli("messages", "list", "--limit", "1", "--json").json) == 1
    again = cli("messages", "retry", rejected, "nothing", "--json")
    assert again.code == 1 and again.json["queued"] == [rejected] and list(again.json["refused"]) == ["nothing"]
    assert [d["id"] for d in cli("messages", "list", "--json").json] == [unknown]
    assert cli("messages", "retry", "--all").out == "1 message queued again\n"
    assert "no message" in cli("messages", "list").out
    with installation(Path(".")) as place:
        place.adopt()
        told = [(t.type, t.data.get("reason")) for t in place.store.journal("u1")]
        assert ("retried", "operator") in told
        assert {c.row.id for c in place.store.claim_messages(place.journey_now(), 9, real_now())} >= set(failed)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("retry",), "say which"),
        (("retry", "x", "--all"), "say which"),
        (("list", "x"), "takes no ids"),
        (("list", "--limit", "0"), "expected a number from 1"),
        (("list", "--status", "rejectd"), "did you mean rejected?"),
    ],
)
def test_what_is_not_understood_is_explained(cli: Any, failed: list[str], words: tuple[str, ...], told: str) -> None:
    refused = cli("messages", *words)
    assert refused.code == 2 and told in refused.err
