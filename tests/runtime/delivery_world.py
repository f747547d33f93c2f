"""What tests of delivery share: customers with a message each in the queue, a provider, and real time."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.core.claim import Claimed
from orchestrator.core.inbox import Identified
from orchestrator.core.index import Index
from orchestrator.definitions.load import LoadedProject
from orchestrator.runtime.delivery import DeliveryCounts, deliver_once
from orchestrator.runtime.gates import Gates
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Arrival, Settlement, StoreBusy
from orchestrator.templating.failure import RenderError
from tests.small_projects import project_of
from tests.stores.driving import START, event, turns

AFTER_THE_LEASE = timedelta(seconds=61)


class Machine:
    """Real time, which goes on when a test or a provider says so."""

    def __init__(self) -> None:
        self.seconds = 1_000.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    @property
    def at(self) -> datetime:
        return START + timedelta(seconds=self.seconds)


class Provider:
    """A provider of any width. `answers` by address, each list used up in order; else `default`."""

    def __init__(self, machine: Machine, width: int = 4, idempotent: bool = False, rate: float | None = None) -> None:
        self.machine = machine
        self.width = width
        self.idempotent = idempotent
        self.rate = rate
        self.default = Answer("accepted")
        self.answers: dict[str, list[Answer]] = {}
        self.groups: list[list[str]] = []
        self.given: list[Outgoing] = []
        self.takes = 0.0

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        self.machine.seconds += self.takes
        self.groups.append([message.to.partition("@")[0] for message in messages])
        self.given.extend(messages)
        told = [self.answers.get(message.to.partition("@")[0]) for message in messages]
        return [answers.pop(0) if answers else self.default for answers in told]

    def close(self) -> None:
        """Nothing is held."""

    @property
    def names(self) -> list[str]:
        return [name for group in self.groups for name in group]


class TroubledStore(MemoryStore):
    """A memory store with what only databases have: it can be busy, and others work on it."""

    busy = 0
    busy_begins = 0
    rival = 0
    """How many of those that are to be handed over somebody else claimed meanwhile."""

    def begin_hand_over(self, claimed: Sequence[Claimed], real_at: datetime) -> frozenset[str]:
        if self.busy_begins:
            self.busy_begins -= 1
            raise StoreBusy("locked")
        ours = super().begin_hand_over(claimed, real_at)
        return ours - {c.row.id for c in claimed[: self.rival]}

    def settle_messages(self, settlements: Sequence[Settlement], now: datetime) -> None:
        if self.busy:
            self.busy -= 1
            raise StoreBusy("locked")
        self.settled = [*getattr(self, "settled", []), *settlements]
        super().settle_messages(settlements, now)


@lru_cache(maxsize=32)
def _project(topic: str, step: str) -> LoadedProject:
    steps = [json.loads(step) or {"email": "hello"}]
    journey = {"topic": topic, "enter": {"event": "go", "key": "event.order", "reentry": "always"}, "steps": steps}
    with TemporaryDirectory() as folder:
        return project_of(Path(folder), {"j": journey})


class World:
    """Customers u0, u1, ... with a message each in the queue, and a provider."""

    def __init__(self, machine: Machine, provider: Provider, topic: str, step: Any = None, count: int = 1) -> None:
        project = _project(topic, json.dumps(step))
        self.machine = machine
        self.provider = provider
        self.store = TroubledStore("7")
        self.store.deploy(Index(project.project), START)
        self.renderer = LedgerRenderer(project.templates, project.project, "https://example.com", b"tests")
        self.gates = Gates({"email": provider}, machine, machine.sleep)
        for number in range(count):
            self.write(f"u{number}")

    def write(self, customer: str, email: str | None = None, order: str = "1") -> None:
        traits = {"email": email or f"{customer}@example.com", "consents": {"promotions": {"email": "in"}}}
        self.store.ingest([Arrival(customer, START, Identified(traits, silent=True))])
        self.store.ingest([Arrival(customer, START, event(id=f"{customer}{order}", order=order))])
        turns(self.store, START)

    def deliver(self, limit: int = 500, now: datetime = START) -> DeliveryCounts:
        return deliver_once(
            self.store, {"email": self.provider}, self.renderer, now, limit, RenderError,
            real_at=self.machine.at, gates=self.gates, unsubscribe_url=lambda row: f"https://example.com/u/{row.id}",
        )  # fmt: skip

    def die(self, times: int = 1) -> None:
        """Processes claim everything, begin to hand it over, and are no more; their leases run out."""
        for _ in range(times):
            claimed = self.store.claim_messages(START, 500, self.machine.at)
            assert claimed
            self.store.begin_hand_over(claimed, self.machine.at)
            self.machine.seconds += AFTER_THE_LEASE.total_seconds()

    def statuses(self) -> dict[str, str]:
        cards = {name: self.store.card(name) for name in self.store._records}
        return {name: card.messages[-1].status for name, card in cards.items() if card is not None and card.messages}

    def lines(self, *types: str) -> list[tuple[str, str, Any]]:
        return [
            (t.customer, t.type, t.data.get("reason"))
            for t in self.store.drain_journal()
            if t.type in (types or ("message", "outcome", "suppressed", "retried"))
        ]
