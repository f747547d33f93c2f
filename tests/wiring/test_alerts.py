"""People are told of a trouble once, over real mail and real HTTP, and once that it is over."""

from __future__ import annotations

import base64
import hmac
import json
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from orchestrator.channels.alert_ways import ChatAlerts, MailAlerts, WebhookAlerts
from orchestrator.channels.chat_notices import ChatNotices, chat_places
from orchestrator.channels.configured import channel_of
from orchestrator.channels.http_caller import HttpCaller
from orchestrator.channels.protocol import Channel
from orchestrator.core.circuit import CircuitState
from orchestrator.core.ledger import Message
from orchestrator.core.view import Switches
from orchestrator.errors import UsageError
from orchestrator.runtime.alarms import HIT_FOR, MOST_PARKED
from orchestrator.runtime.alerts import AT_ONCE, GONE_AFTER, Alert, Way, alert_once, open_incidents
from orchestrator.runtime.breaker import MOST_RENDER_ERRORS, count_render_error
from orchestrator.runtime.limits_hit import LimitsHit
from orchestrator.runtime.turns import turn_once
from orchestrator.settings import read_settings
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.migrate import upgrade
from orchestrator.stores.protocol import Store
from orchestrator.stores.sqlite.store import open_store
from tests.channels.mail_server import MailServer, mail_server
from tests.stores.driving import START, WAITS_AN_HOUR, arrive, create, event, index_of, later, turns

KEY = b"k" * 32
SECRET = "whsec_" + base64.b64encode(KEY).decode()
NONE: Mapping[str, CircuitState] = {}
DOWN = {"email": CircuitState("open", "421 try later", 15.0)}
SOON = GONE_AFTER + timedelta(seconds=1)


@dataclass
class Sink:
    """An HTTP server that keeps what it was told; `status` is what it answers."""

    url: str = ""
    status: int = 204
    calls: list[tuple[Mapping[str, str], bytes]] = field(default_factory=list)


@pytest.fixture
def sink() -> Iterator[Sink]:
    found = Sink()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            found.calls.append(({k.lower(): v for k, v in self.headers.items()}, body))
            self.send_response(found.status)
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    found.url = f"http://127.0.0.1:{server.server_port}/alerts"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield found
    server.shutdown()
    server.server_close()
    thread.join(5)


@pytest.fixture
def mail() -> Iterator[MailServer]:
    with mail_server() as running:
        yield running


@pytest.fixture(params=["memory", "sqlite"])
def store(request: Any, tmp_path: Path) -> Iterator[Store]:
    made: Store = MemoryStore()
    if request.param == "sqlite":
        upgrade(tmp_path / "a.db")
        made = open_store(tmp_path / "a.db", durable=False, drains=True)
    made.deploy(index_of(), START)
    yield made
    made.close()


Ways = Callable[[], list[Way]]


@pytest.fixture
def ways_to(mail: MailServer, sink: Sink, tmp_path: Path) -> Iterator[Ways]:
    """A process's own ways to both."""
    channels: list[Channel] = []

    def make() -> list[Way]:
        channels.append(channel_of(f"smtp://127.0.0.1:{mail.port}?starttls=no&width=1", base_dir=tmp_path))
        sender = "Harbour <hello@example.com>"
        return [
            MailAlerts(channels[-1], "ops@example.com", sender, "Harbour"),
            WebhookAlerts(HttpCaller(["127.0.0.1"], SECRET), sink.url, "Harbour"),
        ]

    yield make
    for channel in channels:
        channel.close()


def test_each_incident_is_told_once_with_its_end(store: Store, mail: MailServer, sink: Sink, ways_to: Ways) -> None:
    ways = ways_to()
    for second in range(0, 120, 10):
        alert_once(store, ways, DOWN, START, later(0, seconds=second))
    [(to, message)] = mail.accepted
    assert to == "ops@example.com"
    assert message["Subject"] == "[Harbour] the provider of email takes nothing: 421 try later"
    text = message.get_content()
    assert text.startswith("The provider of email takes nothing") and "Look at: " in text and "Do: " in text
    [(headers, body)] = sink.calls
    told = json.loads(body)
    assert told["type"] == "alert.opened" and told["data"]["incident"] == "circuit:email" and told["data"]["next"]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    right = base64.b64encode(hmac.digest(KEY, signed, "sha256")).decode()
    assert headers["webhook-signature"] == f"v1,{right}"
    assert set(open_incidents(store)) == {"circuit:email"}
    alert_once(store, ways, NONE, START, later(0, seconds=115))
    assert len(mail.accepted) == 1, "one that flickers is one incident"
    for minute in (4, 6, 8):
        alert_once(store, ways, NONE, START, later(minute))
    assert [str(m["Subject"]) for _, m in mail.accepted][1:] == ["[Harbour] over: circuit of email"]
    assert [json.loads(body)["type"] for _, body in sink.calls] == ["alert.opened", "alert.resolved"]
    assert not open_incidents(store)
    alert_once(store, ways, DOWN, START, later(20))
    assert len(mail.accepted) == len(sink.calls) == 3, "the next incident is another one"
    assert len({headers["webhook-id"] for headers, _ in sink.calls}) == 3


def test_what_could_not_be_told_is_told_again_under_the_same_id(
    store: Store, mail: MailServer, sink: Sink, ways_to: Ways
) -> None:
    ways = ways_to()
    sink.status = 503
    mail.replies["MAIL"] = "421 4.3.0 try later"
    for minute in range(3):
        counts = alert_once(store, ways, DOWN, START, later(minute))
        assert counts.failed == 2 and counts.told == 0
        alert_once(store, ways, DOWN, START, later(minute, seconds=10))
    assert len(sink.calls) == 3, "once a minute"
    sink.status = 204
    mail.replies.clear()
    assert alert_once(store, ways, DOWN, START, later(4)).told == 2
    assert alert_once(store, ways, DOWN, START, later(6)).told == 0
    assert len({headers["webhook-id"] for headers, _ in sink.calls}) == 1 and len(mail.accepted) == 1


def test_many_processes_that_look_at_once_tell_it_once(
    tmp_path: Path, mail: MailServer, sink: Sink, ways_to: Ways
) -> None:
    upgrade(tmp_path / "a.db")
    stores = [open_store(tmp_path / "a.db", durable=False) for _ in range(4)]
    stores[0].deploy(index_of(), START)
    gate = threading.Barrier(4)

    def look(store: Store) -> None:
        store.adopt(index_of())
        gate.wait()
        alert_once(store, ways_to(), DOWN, START, START)

    threads = [threading.Thread(target=look, args=(store,)) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
        assert not thread.is_alive()
    for store in stores:
        store.close()
    assert len(mail.accepted) == len(sink.calls) == 1


def test_a_flood_is_bounded(sink: Sink) -> None:
    """What is beyond waits for the next hour, and is told then."""
    names = [f"o{n:02}" for n in range(AT_ONCE + 5)]
    offer = {"discount": {"percent": 10}, "codes": {"import": True}, "low_pool": 5}
    store = MemoryStore()
    store.deploy(index_of(None, offers=dict.fromkeys(names, offer)), START)
    ways: list[Way] = [WebhookAlerts(HttpCaller(["127.0.0.1"], SECRET), sink.url, "Harbour")]
    alert_once(store, ways, NONE, START, START)
    assert len(sink.calls) == AT_ONCE
    for minute in range(0, 62, 2):
        alert_once(store, ways, NONE, START, later(minute))
    told = [json.loads(body)["data"]["incident"] for _, body in sink.calls]
    assert sorted(told) == sorted({f"low_pool:{name}" for name in names})


# --- what is a trouble ------------------------------------------------------------------------------------------------


class Listener:
    """A way that only remembers."""

    name = "ear"

    def __init__(self) -> None:
        self.heard: list[str] = []

    def tell(self, alert: Alert) -> str | None:
        self.heard.append(alert.trouble.name if alert.ended_at is None else f"over {alert.trouble.name}")
        return None


def test_a_limit_that_refuses_is_told(store: Store) -> None:
    limited = {**WAITS_AN_HOUR, "limits": {"entries_per_day": 2}}
    store.deploy(index_of({"waits": limited}), START)
    create(store, "u1")
    hit, ear = LimitsHit(), Listener()

    def turns_seen() -> None:
        while turn_once(store, START, saved=lambda changes: hit.decided(changes, store.index.project)).customers:
            pass
        hit.flush(store, START)

    for number in range(2):
        arrive(store, "u1", event(order=str(number)))
    turns_seen()
    alert_once(store, [ear], NONE, START, START)
    assert ear.heard == []
    arrive(store, "u1", event(order="3"))
    turns_seen()
    for minute in (0, 1, 59):
        alert_once(store, [ear], NONE, START, later(minute))
    assert ear.heard == ["entry_limit:waits"]
    alert_once(store, [ear], NONE, START, START + HIT_FOR + SOON)
    assert ear.heard[1:] == ["over entry_limit:waits"]


def test_a_breaker_that_tripped_is_told_until_somebody_resumes(store: Store, row: Message) -> None:
    ear = Listener()
    assert [count_render_error(store, row) for _ in range(MOST_RENDER_ERRORS)][-1]
    for minute in (0, 5):
        alert_once(store, [ear], NONE, START, later(minute))
    assert ear.heard == ["render_errors:waits"]
    store.set_switches(Switches())
    for minute in (6, 8):
        alert_once(store, [ear], NONE, START, later(minute))
    store.set_switches(Switches(paused=frozenset({"waits"})))
    alert_once(store, [ear], NONE, START, later(20))
    assert ear.heard == ["render_errors:waits", "over render_errors:waits"], "a pause by hand is no alarm"


@pytest.fixture
def row() -> Message:
    at = START
    return Message(
        "m1", "u1", "e1", "waits", "v1", "k", "email_1", 1, "email", "care", "service", "hello", "h", None,
        "a@b.example", {}, at, at, 1,
    )  # fmt: skip


def test_parked_customers_beyond_a_bound_are_told(store: Store) -> None:
    names = [f"u{n:02}" for n in range(MOST_PARKED + 1)]
    create(store, *names)
    ear = Listener()
    for name in names[:-1]:
        store.park(name, "exception", "boom", START)
    assert store.parked(5) == 5 and store.parked(1_000) == MOST_PARKED
    alert_once(store, [ear], NONE, START, START)
    assert ear.heard == []
    store.park(names[-1], "exception", "boom", START)
    alert_once(store, [ear], NONE, START, START)
    assert ear.heard == ["parked:customers"]


def test_lag_is_told_but_for_journeys_with_a_time_of_their_own(store: Store) -> None:
    create(store, "u1")
    arrive(store, "u1", event(order="1"))
    ear = Listener()
    alert_once(store, [ear], NONE, later(4), START)
    alert_once(store, [ear], NONE, later(6), START, virtual=True)
    assert ear.heard == []
    alert_once(store, [ear], NONE, later(6), START)
    assert ear.heard == ["lag:turn"]
    turns(store, later(6))
    alert_once(store, [ear], NONE, later(7), later(7))
    assert ear.heard == ["lag:turn", "over lag:turn"]


def test_a_low_pool_is_told(store: Store) -> None:
    base = {"discount": {"percent": 10}, "low_pool": 3}
    pool = {**base, "codes": {"import": True}}
    made = {**base, "codes": {"prefix": "T", "length": 8}, "limits": {"total": 4}}
    gives = {"enter": {"event": "go", "reentry": "always"}, "steps": [
        {"coupon": {"offer": "pool", "as": "a", "on_exhausted": "skip"}},
        {"coupon": {"offer": "made", "as": "b", "on_exhausted": "skip"}},
    ]}  # fmt: skip
    store.deploy(index_of({"gives": gives}, offers={"pool": pool, "made": made}), START)
    create(store, "u1", "u2")
    store.import_codes("pool", ["c1", "c2", "c3"])
    ear = Listener()
    alert_once(store, [ear], NONE, START, START)
    assert ear.heard == []
    arrive(store, "u1", event(order="1"))
    turns(store, START)
    alert_once(store, [ear], NONE, START, START)
    assert ear.heard == ["low_pool:pool"]
    arrive(store, "u2", event(order="2"))
    turns(store, START)
    offers = store.index.project.offers
    assert (store.coupons_left(offers["pool"], 9), store.coupons_left(offers["made"], 9)) == (1, 2)
    alert_once(store, [ear], NONE, START, START)
    assert ear.heard == ["low_pool:pool", "low_pool:made"]


def test_settings_say_who_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_ALERT_MAIL", "ops@example.com, lead@example.com")
    monkeypatch.setenv("ORCHESTRATOR_ALERT_WEBHOOK", "https://alerts.example.com/in")
    assert read_settings().alert_addresses == ("ops@example.com", "lead@example.com")
    monkeypatch.setenv("ORCHESTRATOR_ALERT_MAIL", "ops at home")
    with pytest.raises(UsageError, match="ORCHESTRATOR_ALERT_MAIL is 'ops at home', and 'ops at home' is no e-mail"):
        read_settings()
    monkeypatch.setenv("ORCHESTRATOR_ALERT_MAIL", "")
    monkeypatch.setenv("ORCHESTRATOR_ALERT_WEBHOOK", "alerts.example.com")
    with pytest.raises(UsageError, match="ORCHESTRATOR_ALERT_WEBHOOK"):
        read_settings()


def test_an_alert_reaches_no_internal_address(sink: Sink) -> None:
    """The rules for calls outside are those of `webhook`."""
    store = MemoryStore()
    store.deploy(index_of(), START)
    way = WebhookAlerts(HttpCaller(()), sink.url, "Harbour")
    assert alert_once(store, [way], DOWN, START, START).failed == 1
    assert not sink.calls


# --- group chats ------------------------------------------------------------------------------------------------------


def test_a_chat_hears_of_a_trouble_and_of_its_end(store: Store, sink: Sink) -> None:
    [place] = chat_places(f"slack:{sink.url}", "ORCHESTRATOR_ALERT_CHAT")
    way: Way = ChatAlerts(ChatNotices(HttpCaller(["127.0.0.1"], SECRET), place), "Harbour")
    assert sink.url not in way.name, "the URL is a key"
    for second in range(0, 120, 10):
        alert_once(store, [way], DOWN, START, later(0, seconds=second))
    [(_, body)] = sink.calls
    assert json.loads(body)["text"].startswith("[Harbour] the provider of email takes nothing: 421 try later\n\n")
    for minute in (4, 6):
        alert_once(store, [way], NONE, START, later(minute))
    assert json.loads(sink.calls[1][1])["text"].startswith("[Harbour] over: circuit of email")


def test_a_chat_that_refuses_is_told_again(store: Store, sink: Sink) -> None:
    sink.status = 429
    [place] = chat_places(f"teams:{sink.url}", "ORCHESTRATOR_ALERT_CHAT")
    way: Way = ChatAlerts(ChatNotices(HttpCaller(["127.0.0.1"]), place), "Harbour")
    alert_once(store, [way], DOWN, START, later(0))
    sink.status = 202
    alert_once(store, [way], DOWN, START, later(2))
    alert_once(store, [way], DOWN, START, later(4))
    assert len(sink.calls) == 2


def test_every_provider_of_a_channel_is_a_trouble_of_its_own(store: Store) -> None:
    told: list[Alert] = []

    class Heard:
        name = "heard"

        def tell(self, alert: Alert) -> str | None:
            told.append(alert)
            return None

    states = {"email": CircuitState("closed"), "email/ses": CircuitState("open", "403 no", 15.0)}
    alert_once(store, [Heard()], states, START, later(0))
    assert [alert.headline for alert in told] == ["the provider of email/ses takes nothing: 403 no"]
