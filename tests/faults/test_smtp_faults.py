"""A mail server that fails in every way, real journeys, and a checker that compares its own log with our ledger.

What has to hold whatever happens: nobody is forgotten, nobody gets two copies but for outcomes that are counted as
unknown (of which a service message may be sent once more), and what the ledger says was rejected or suppressed was
never taken.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from orchestrator.channels.smtp import SmtpChannel, SmtpOptions
from orchestrator.channels.smtp_wire import SmtpServer
from orchestrator.core.inbox import Identified
from orchestrator.core.index import Index
from orchestrator.runtime.delivery import deliver_once
from orchestrator.runtime.gates import Gates
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Arrival, Store
from orchestrator.stores.sqlite.store import open_store
from orchestrator.templating.failure import RenderError
from tests.channels.mail_server import MailServer, free_port, mail_server
from tests.in_full import IN_FULL, long_form
from tests.small_projects import project_of
from tests.stores.driving import START, event, turns

CUSTOMERS = 40


class Hurried:
    """Real seconds, to which a test adds: rests and pauses pass in no time."""

    def __init__(self) -> None:
        self.skipped = 0.0

    def __call__(self) -> float:
        return time.monotonic() + self.skipped


@dataclass
class Shop:
    """A journey that writes to everyone once, and mail that goes over real connections."""

    store: Store
    renderer: LedgerRenderer
    topic: str
    clock: Hurried = field(default_factory=Hurried)

    def use(self, port: int, width: int = 4, timeout: float = 3.0, password: str | None = None) -> None:
        """Hand mail to a server."""
        user = "shop" if password is not None else None
        server = SmtpServer("127.0.0.1", port, user, password, timeout=timeout, connect_timeout=timeout)
        self.channel = SmtpChannel(server, SmtpOptions(width))
        self.gates = Gates({"email": self.channel}, self.clock, lambda seconds: None)

    def run(self, passes: int = 400, meanwhile: Callable[[int], None] = lambda number: None, every: float = 10) -> None:
        """Passes, so many seconds apart, until nothing is queued."""
        for number in range(passes):
            meanwhile(number)
            real_at = START + timedelta(seconds=self.clock())
            deliver_once(
                self.store, {"email": self.channel}, self.renderer, START, 12, RenderError,
                real_at=real_at, gates=self.gates,
            )  # fmt: skip
            self.clock.skipped += every
            if ("email", "queued") not in self.store.overview().messages:
                return

    def statuses(self) -> dict[str, str]:
        """What the ledger says, by address."""
        cards = [self.store.card(f"u{number}") for number in range(CUSTOMERS)]
        return {card.messages[0].row.to: card.messages[0].status for card in cards if card is not None}

    def check(self, server: MailServer) -> Counter[str]:
        """Compare the server's own log with the ledger. Returns the ledger's statuses, counted."""
        taken = Counter(to for to, _ in server.accepted)
        statuses = self.statuses()
        assert len(statuses) == CUSTOMERS
        for to, status in statuses.items():
            most = 2 if self.topic != "promotions" else 1
            match status:
                case "sent":
                    assert 1 <= taken[to] <= most, to
                case "unknown":
                    assert taken[to] <= most, to
                case _:
                    assert taken[to] == 0, (to, status)
        ids = {to: {str(message["Message-ID"]) for other, message in server.accepted if other == to} for to in taken}
        assert all(len(found) == 1 for found in ids.values())  # both copies are one message to a mail program
        return Counter(statuses.values())


@pytest.fixture(params=[("promotions", "memory"), ("orders", "sqlite")], ids="-".join)
def shop(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Shop]:
    topic, kind = request.param
    journey = {"topic": topic, "enter": {"event": "go"}, "steps": [{"email": "hello"}]}
    project = project_of(tmp_path, {"j": journey})
    store: Store = MemoryStore("7") if kind == "memory" else open_store(tmp_path / "shop.sqlite", salt="7")
    store.deploy(Index(project.project), START)
    for number in range(CUSTOMERS):
        traits = {"email": f"u{number}@example.com", "consents": {"promotions": {"email": "in"}}}
        store.ingest([Arrival(f"u{number}", START, Identified(traits, silent=True))])
        store.ingest([Arrival(f"u{number}", START, event(id=f"e{number}"))])
    turns(store, START)
    made = Shop(store, LedgerRenderer(project.templates, project.project, "https://example.com", b"tests"), topic)
    yield made
    made.channel.close()
    store.close()


@pytest.fixture
def server() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


def test_a_server_that_works(shop: Shop, server: MailServer) -> None:
    shop.use(server.port)
    shop.run()
    assert shop.check(server) == {"sent": CUSTOMERS}
    assert len(server.accepted) == CUSTOMERS


def test_one_bad_address_stops_itself_only(shop: Shop, server: MailServer) -> None:
    server.replies["RCPT u7@example.com"] = "550 5.1.1 no such user"
    shop.use(server.port)
    shop.run()
    assert shop.check(server) == {"sent": CUSTOMERS - 1, "rejected": 1}
    assert shop.store.suppressions() == {("email", "u7@example.com"): {"bounced"}}


@pytest.mark.parametrize("reply", ["550 5.7.1 blocked", "552 5.3.4 too large", "554 no"])
def test_refused_for_good(shop: Shop, server: MailServer, reply: str) -> None:
    server.replies["DATA"] = reply
    shop.use(server.port)
    shop.run()
    assert shop.check(server) == {"rejected": CUSTOMERS}
    assert shop.store.suppressions() == {}


@pytest.mark.parametrize(
    ("command", "reply"),
    [
        pytest.param(command, reply, marks=[] if (row + column) % 3 == 0 else [long_form])
        for row, command in enumerate(["MAIL", "RCPT", "DATA"])
        for column, reply in enumerate(["450 4.2.1 busy", "451 4.7.1 greylisted", "421 4.3.2 shutting down"])
    ],
)
def test_refused_for_now_and_taken_later(shop: Shop, server: MailServer, command: str, reply: str) -> None:
    server.replies[command] = reply
    shop.use(server.port)
    shop.run(meanwhile=lambda number: server.replies.clear() if number == 12 else None)
    assert shop.check(server) == {"sent": CUSTOMERS}
    assert len(server.accepted) == CUSTOMERS


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
@pytest.mark.parametrize("fault", ["drop", "hang"])
def test_lost_before_the_last_dot(shop: Shop, server: MailServer, command: str, fault: str) -> None:
    server.replies[command] = fault
    shop.use(server.port, timeout=2.5)
    shop.run(meanwhile=lambda number: server.replies.clear() if number == (4 if IN_FULL else 2) else None)
    assert shop.check(server) == {"sent": CUSTOMERS}
    assert len(server.accepted) == CUSTOMERS


@pytest.mark.parametrize("fault", ["drop", "hang", "drop_after"])
def test_lost_after_the_last_dot(shop: Shop, server: MailServer, fault: str) -> None:
    lost = [f"u{number}@example.com" for number in (3, 11, 12)]
    server.replies |= {f"DATA {to}": fault for to in lost}
    shop.use(server.port, timeout=1.5)
    shop.run()
    assert shop.check(server) == {"sent": CUSTOMERS - 3, "unknown": 3}
    copies = Counter(to for to, _ in server.accepted)
    expected = 0 if fault != "drop_after" else 1 if shop.topic == "promotions" else 2
    assert [copies[to] for to in lost] == [expected] * 3


def test_one_lost_answer_is_made_good_where_a_second_copy_is_better_than_none(shop: Shop, server: MailServer) -> None:
    server.replies["DATA u5@example.com"] = "drop"
    shop.use(server.port, width=1)
    hand_over = shop.channel.send

    def once(messages: object) -> object:
        answers = hand_over(messages)  # type: ignore[arg-type]
        if any(answer.outcome == "unknown" for answer in answers):
            server.replies.clear()
        return answers

    shop.channel.send = once  # type: ignore[method-assign,assignment]
    shop.run()
    expected = {"sent": CUSTOMERS - 1, "unknown": 1} if shop.topic == "promotions" else {"sent": CUSTOMERS}
    assert shop.check(server) == expected
    assert len(server.accepted) == (CUSTOMERS - 1 if shop.topic == "promotions" else CUSTOMERS)


def test_nobody_listens_for_six_hours(shop: Shop) -> None:
    shop.use(free_port())
    shop.run(passes=6 * 60, every=60)
    assert set(shop.statuses().values()) == {"queued"}
    assert shop.gates.states()["email"].state != "closed"
    shop.channel.close()
    with mail_server() as server:
        shop.use(server.port)
        shop.run()
        assert shop.check(server) == {"sent": CUSTOMERS}
        assert len(server.accepted) == CUSTOMERS


@pytest.mark.filterwarnings("ignore:Requiring AUTH")
def test_a_password_that_is_revoked_and_set_right(shop: Shop, caplog: pytest.LogCaptureFixture) -> None:
    with mail_server(auth_required=True, auth_require_tls=False) as server:
        shop.use(server.port, password="secret-word")
        shop.run(passes=30)
        assert set(shop.statuses().values()) == {"queued"}
        assert "does not let 'shop' in" in caplog.text and "secret-word" not in caplog.text
        server.passwords["shop"] = "secret-word"
        shop.run()
        assert shop.check(server) == {"sent": CUSTOMERS}
        shop.channel.close()


def test_everything_at_once(shop: Shop, server: MailServer) -> None:
    faults = ["drop", "drop_after", "450 4.2.1 busy", "421 4.3.2 later", "550 5.1.1 none", "hang"]
    for number in range(0, CUSTOMERS, 2):
        command = "RCPT" if "5.1.1" in faults[number // 2 % 6] else "DATA"
        server.replies[f"{command} u{number}@example.com"] = faults[number // 2 % 6]
    shop.use(server.port, timeout=1.5)

    def heal(number: int) -> None:
        if number == 10:
            server.replies = {key: reply for key, reply in server.replies.items() if "5.1.1" in reply}

    shop.run(meanwhile=heal)
    counts = shop.check(server)
    assert (counts["queued"], counts["rejected"]) == (0, 3)
    assert counts["unknown"] >= 1 and counts["sent"] >= CUSTOMERS - 3 - 11 - 2  # 11 are lost, a slow machine loses more
