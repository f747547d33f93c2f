"""Opt-outs race with deliveries on PostgreSQL, each side on connections of its own.

One race is one customer: a promotional message in the queue, and an opt-out that comes while it may be claimed. Nothing
promotional is claimed by whoever begins after the opt-out's answer, and nothing is handed over more than two seconds
after it. 300 races by default; RACES=10000 runs as many.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import pytest

from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.core.inbox import ConsentChanged
from orchestrator.core.index import Index
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.gates import Gates
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.stores.postgres.store import PostgresStore, open_store
from orchestrator.stores.protocol import Arrival
from tests.servers.postgres import clean_database
from tests.small_projects import project_of
from tests.stores.driving import START, WRITES, create, event, turns

RACES: Final = int(os.environ.get("RACES", "300"))
AT_ONCE: Final = 100
"""Customers of one heat: so few that opt-outs and claims meet."""
WITHIN: Final = 2.0
"""Seconds after the opt-out's answer in which what was claimed before may still be handed over."""


class Recorder:
    """A provider that notes when it was given what, in seconds of the machine."""

    idempotent = False
    width = 4
    rate = None

    def __init__(self) -> None:
        self.given: dict[str, float] = {}
        self.began = 0.0
        self.claimed_by: dict[str, float] = {}
        """When the pass began that claimed the message to an address."""

    def send(self, messages: Sequence[Outgoing]) -> list[Answer]:
        now = time.monotonic()
        for message in messages:
            self.given[message.to] = now
            self.claimed_by[message.to] = self.began
        return [Answer("accepted") for _ in messages]

    def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[tuple[PostgresStore, PostgresStore, Any]]:
    """Two processes on one database, and their project."""
    project = project_of(tmp_path, {"news": {**WRITES, "topic": "promotions"}})
    index = Index(project.project)
    with clean_database() as url:
        opting, delivering = open_store(url, salt="0"), open_store(url)
        try:
            opting.deploy(index, START)
            delivering.adopt(index)
            yield opting, delivering, project
        finally:
            opting.close()
            delivering.close()


def test_an_opt_out_wins_every_race(processes: tuple[PostgresStore, PostgresStore, Any]) -> None:
    opting, delivering, project = processes
    renderer = LedgerRenderer(project.templates, project.project, "https://example.com", b"races")
    channel = Recorder()
    gates = Gates({"email": channel}, store=delivering, real_now=delivering.real_now)
    draw = random.Random(7)
    answered: dict[str, float] = {}
    for heat in range(0, RACES, AT_ONCE):
        racers = [f"r{n}" for n in range(heat, min(RACES, heat + AT_ONCE))]
        create(opting, *racers)
        opting.ingest([Arrival(racer, START, event(order="1", id=f"go-{racer}")) for racer in racers])
        turns(opting, START)
        order = racers.copy()
        if heat % (2 * AT_ONCE):
            draw.shuffle(order)  # else in the order of the claims, so that the two meet at the same rows
        over = threading.Event()

        def opt_out(order: list[str] = order) -> None:
            for racer in order:
                opting.ingest([Arrival(racer, START, ConsentChanged("promotions", "email", "out"))])
                answered[f"{racer}@example.com"] = time.monotonic()

        def deliver(over: threading.Event = over) -> None:
            while True:
                ended = over.is_set()
                channel.began = time.monotonic()
                counts = deliver_once(
                    delivering, {"email": channel}, renderer, START, limit=4, real_at=datetime.now(UTC), gates=gates
                )
                if ended and not any(counts):
                    return

        sides = [threading.Thread(target=opt_out), threading.Thread(target=deliver)]
        for side in sides:
            side.start()
        sides[0].join()
        over.set()
        sides[1].join()
    assert len(answered) == RACES
    late_claims = {to for to, began in channel.claimed_by.items() if began > answered[to]}
    late_hand_overs = {to for to, at in channel.given.items() if at > answered[to] + WITHIN}
    assert late_claims == set() and late_hand_overs == set()
    assert 0 < len(channel.given) < RACES, "one side won every race: nothing was shown"
