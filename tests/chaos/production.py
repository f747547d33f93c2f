"""Rounds of trouble for an installation of many processes: PostgreSQL, Redis, APIs, workers and two beats.

`python -m tests.chaos.production 200 [SEED]` (`make chaos-production`) prints a line a round with its seed and the
verdict; exit 1 when a promise broke, or when no blow fell between two worlds. `... 1 SEED` repeats a round's draws.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any, Final

import psycopg

from orchestrator.core.inbox import Identified
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.stores.migrate import upgrade
from orchestrator.stores.postgres.store import open_store
from tests.chaos.checking import Promises, Verdict, compare
from tests.chaos.feeding import Client
from tests.chaos.fleet import Fleet, Role
from tests.chaos.mailbox import Mailbox, free_port, mail_server
from tests.chaos.nursery import Nursery
from tests.chaos.shop import write_shop
from tests.chaos.striking import DEADLY, MAIL_TIMEOUT, OF_APIS, OF_WORKERS, POISON, WINDOWS, Strike
from tests.chaos.troubles import TROUBLES, Field
from tests.servers.postgres import PostgresServer, new_server
from tests.servers.redis import RedisServer, new_redis
from tests.tasks.installation import deploy_from

WAITS: Final = {"receipt": 0, "care": 2, "offer": 3}
FED_FOR: Final = 2.2
"""Seconds in which orders come in."""
RATE: Final = 30.0
DELIVERED_WITHIN: Final = 120.0
DRAINED_WITHIN: Final = 180.0
CLOCKS: Final = 0.3
"""Seconds by which the server's idea of an arrival may differ from the client's."""
UNFINISHED: Final = """
select (select count(*) from inbox where parked = 0), (select count(*) from outbox),
       (select count(*) from enrollments where status not in ('completed', 'exited'))
"""


@dataclass
class Plan:
    """What is drawn for a round. `troubles`: their names, in their order."""

    apis: int
    workers: tuple[int, ...]
    """The children of each worker: eight at most."""
    troubles: list[str]
    strikes: list[tuple[str, Strike]]
    """Of a kind of process."""
    poisoned: tuple[str, ...]

    @property
    def words(self) -> str:
        """On one line."""
        blows = [f"{kind}:{s.how}@{s.point}" for kind, s in self.strikes]
        return " ".join([f"{self.apis}+{'+'.join(map(str, self.workers))}", *blows, *self.troubles, *self.poisoned])


@dataclass
class Total:
    """What came of all rounds."""

    verdict: Verdict = field(default_factory=Verdict)
    struck: Counter[tuple[str, str]] = field(default_factory=Counter)
    troubles: Counter[str] = field(default_factory=Counter)
    broken: list[int] = field(default_factory=list)
    """The seeds of rounds in which a promise broke."""
    unexpected: Counter[str] = field(default_factory=Counter)
    """Exceptions that a task told of, and no promise broke by."""

    @property
    def windows(self) -> int:
        """Blows between two worlds."""
        return sum(count for (_, point), count in self.struck.items() if point in WINDOWS)

    @property
    def failed(self) -> bool:
        """Whether a promise broke, or nothing was tried."""
        return bool(self.verdict.faults) or not self.windows


@dataclass
class Servers:
    """What all rounds share."""

    nursery: Nursery
    postgres: PostgresServer
    redis: RedisServer


def drawn(random: Random) -> Plan:
    """A round's troubles and blows."""
    workers = random.choice([(2,), (2, 2), (2, 2), (3, 1), (4, 4)])
    troubles = random.sample(sorted(TROUBLES), k=random.randint(2, 5))
    if "deploy" in troubles:
        troubles.append("deploy")  # and back
    strikes = []
    for _ in range(random.randint(1, 3)):
        point = random.choice(OF_WORKERS)
        how = random.choice(["kill", "kill", "stop", "cut"] if point.endswith("commit") else ["kill", "kill", "stop"])
        most = 60 if point.endswith("commit") else 6
        strikes.append(("worker", Strike(how, point, random.randint(1, most), random.randint(1, 3))))
    if random.random() < 0.4:
        point = random.choice(OF_APIS)
        how = random.choice(["kill", "cut"]) if point.endswith("commit") else "kill"
        strikes.append(("serve", Strike(how, point, random.randint(1, 5))))
    poisoned = tuple(name for name, share in ((f"{POISON}1", 0.3), (f"{DEADLY}1", 0.12)) if random.random() < share)
    return Plan(random.randint(1, 2), workers, troubles, strikes, poisoned)


@contextmanager
def servers() -> Iterator[Servers]:
    """Started once, and ended."""
    nursery = Nursery()
    postgres = new_server(durable=True, max_connections="150")
    redis = new_redis()
    try:
        postgres.start().execute("CREATE DATABASE migrated")
        upgrade(postgres.url("migrated"))
        redis.start()
        yield Servers(nursery, postgres, redis)
    finally:
        nursery.close()
        redis.remove()
        postgres.remove()


def run(rounds: int, seed: int, say: Callable[[str], Any] = print) -> Total:
    """So many rounds, the nth of the seed `seed + n`."""
    total = Total()
    with servers() as shared:
        for number in range(rounds):
            began = time.monotonic()
            plan = drawn(Random(seed + number))
            verdict, fleet = run_round(shared, seed + number, plan)
            total.troubles.update(plan.troubles)
            total.struck.update(fleet.struck())
            for each in fields(Verdict):
                setattr(total.verdict, each.name, getattr(total.verdict, each.name) + getattr(verdict, each.name))
            total.unexpected.update(_unexpected(fleet))
            hits = " ".join(f"{how}@{point}" for how, point in fleet.struck())
            took = time.monotonic() - began
            say(f"seed {seed + number}: {verdict.orders} orders, {took:.1f} s, {plan.words} | struck: {hits or '-'}")
            if verdict.faults:
                total.broken.append(seed + number)
                say("\n".join(f"  BROKEN: {fault}" for fault in verdict.faults[:10]))
    return total


def run_round(shared: Servers, seed: int, plan: Plan) -> tuple[Verdict, Fleet]:
    """One round on a fresh database."""
    random = Random(f"round {seed}")
    name = f"round_{seed}"
    shared.postgres.execute(f"CREATE DATABASE {name} TEMPLATE migrated")
    url = shared.postgres.url(name)
    shared.redis.flush()
    with _folder(seed) as (folder, keep):
        mailbox = Mailbox(folder / "accepted")
        with mail_server(mailbox) as (_, mail_port):
            editions = (write_shop(folder / "shop", WAITS), write_shop(folder / "shop2", WAITS, later_edition=True))
            fleet = _fleet(shared, folder, url, mail_port)
            try:
                _deployed(url, editions[0], plan.poisoned)
                here = Field(random, fleet, shared.postgres, shared.redis, mailbox, editions)
                client = _weather(here, plan, seed)
                mailbox.moods.clear()
                _drained(fleet, url)
            finally:
                fleet.end()
            promises = Promises(WAITS, CLOCKS, client.opted_out, 2.0 + MAIL_TIMEOUT, frozenset(plan.poisoned))
            with psycopg.connect(url, autocommit=True) as c:
                verdict = compare(
                    lambda sql: c.execute(sql.encode()).fetchall(),
                    client.placed,
                    client.cancelled,
                    mailbox.accepted,
                    promises,
                )
                if verdict.faults:
                    _books(c, folder)
                    keep.append(None)
        fleet.keep()
    shared.postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
    return verdict, fleet


@contextmanager
def _folder(seed: int) -> Iterator[tuple[Path, list[None]]]:
    """A round's folder, which goes afterwards, unless something is put into the list."""
    folder, keep = Path(mkdtemp(prefix=f"chaos-{seed}-")), list[None]()
    try:
        yield folder, keep
    except BaseException:
        keep.append(None)
        raise
    finally:
        if keep:
            print(f"what is left of the round: {folder}", file=sys.stderr)
        else:
            rmtree(folder, ignore_errors=True)


def _books(c: psycopg.Connection[Any], folder: Path) -> None:
    """Write down the tables that tell what happened."""
    for table in ("transitions", "messages", "enrollments", "events", "customers", "inbox", "outbox", "attempts"):
        with (
            (folder / f"{table}.csv").open("wb") as file,
            c.cursor().copy(f"COPY {table} TO STDOUT CSV HEADER") as rows,
        ):
            for row in rows:
                file.write(row)


def _fleet(shared: Servers, folder: Path, url: str, mail_port: int) -> Fleet:
    environment = {
        "ORCHESTRATOR_PROJECT": str(folder / "shop"),
        "ORCHESTRATOR_BROKER_URL": shared.redis.url,
        "ORCHESTRATOR_DATABASE_URL": url,
        "ORCHESTRATOR_SMTP_URL": f"smtp://127.0.0.1:{mail_port}?timeout={MAIL_TIMEOUT}",
        "ORCHESTRATOR_SECRET_KEY": "a secret that is long enough for tests of chaos",
    }
    return Fleet(shared.nursery, folder, environment)


def _deployed(url: str, shop: Path, poisoned: tuple[str, ...]) -> None:
    """The shop is live, and the orders of whom nobody can decide for are in."""
    store = open_store(url)
    try:
        deploy_from(shop, store)
        now = datetime.now(UTC)
        for who in poisoned:
            order = Incoming(who, "order_placed", {"order_id": who}, message_id=f"{who}-order")
            ingest_once(store, [(who, Identified({"email": f"{who}@example.com"})), order], now)
    finally:
        store.close()


def _weather(here: Field, plan: Plan, seed: int) -> Client:
    """Start everything, let orders and troubles come, and let them end."""
    fleet, random = here.fleet, here.random
    ports = [free_port() for _ in range(plan.apis)]
    serving = tuple(strike for kind, strike in plan.strikes if kind == "serve")
    working = tuple(strike for kind, strike in plan.strikes if kind == "worker")
    for number, port in enumerate(ports):
        fleet.start(Role("serve", number, ("serve", "--port", str(port)), serving if number == 0 else ()))
    for number, children in enumerate(plan.workers):
        fleet.start(Role("worker", number, ("worker", "--concurrency", str(children)), working))
    for number in range(2):
        fleet.start(Role("beat", number, ("beat",)))
    client = Client(
        ports[0], RATE, seed, others=ports[1:], patience=2.0, opt_out_share=0.15, opt_out_within=WAITS["offer"] + 0.5
    )
    fleet.wait_ready(ports[0])
    client.start()
    began = time.monotonic()
    weather_until = FED_FOR + WAITS["offer"] - 0.5
    moments = sorted(random.uniform(0.2, weather_until) for _ in plan.troubles)
    for moment, name in zip(moments, plan.troubles, strict=True):
        _pass_time(fleet, client, began, until=moment)
        TROUBLES[name](here)
    _pass_time(fleet, client, began, until=weather_until)
    client.stop()  # troubles may have taken longer than they were given
    until = time.monotonic() + DELIVERED_WITHIN
    while client.is_alive() and time.monotonic() < until:
        fleet.mend()
        client.join(0.05)
    assert not client.is_alive() and not client.failed, (
        f"the client could not deliver:\n{client.refusals[-3:]}\n{fleet.said}"
    )
    return client


def _pass_time(fleet: Fleet, client: Client, began: float, until: float) -> None:
    while (passed := time.monotonic() - began) < until:
        fleet.mend()
        if passed >= FED_FOR:
            client.stop()
        time.sleep(0.05)


def _drained(fleet: Fleet, url: str) -> None:
    """Until nothing waits any more, and nobody stands still who might still do something."""
    end = time.monotonic() + DRAINED_WITHIN
    left: Any = None
    while time.monotonic() < end:
        fleet.mend()
        try:
            with psycopg.connect(url, autocommit=True) as c:
                left = c.execute(UNFINISHED).fetchone()
        except psycopg.Error:
            left = None
        if left == (0, 0, 0) and not fleet.frozen:
            return
        time.sleep(0.1)
    # What still waits shows in the books; the log tells why.
    print(f"still waiting after {DRAINED_WITHIN:.0f} s: {left}\n{fleet.said}", file=sys.stderr)


def _unexpected(fleet: Fleet) -> Iterator[str]:
    for line in fleet.kept.splitlines():
        if "raised unexpected" in line or "orchestrator failed" in line:
            yield line.partition("raised unexpected: ")[2][:160] or line[-160:]


def told(total: Total) -> str:
    """The verdict in sentences."""
    found = total.verdict
    struck = ", ".join(f"{how}@{point} {n}" for (how, point), n in sorted(total.struck.items()))
    lines = [
        f"{found.orders} orders, {found.accepted} mails taken",
        f"{found.cancelled} orders were cancelled in time, {found.opted_out} customers opted out in time",
        f"{found.unknown} hand-overs of unknown outcome, as promised:",
        f"  {found.twice} mails came twice, {found.missing_unknown} never, {found.late_unknown} after an opt-out",
        f"blows at named points: {struck or 'none'}; {total.windows} of them between two worlds",
        "troubles: " + ", ".join(f"{name} {n}" for name, n in sorted(total.troubles.items())),
        *(f"a task told of {what} ({n} times)" for what, n in total.unexpected.most_common(10)),
        *(["VACUOUS: no blow fell between two worlds"] if not total.windows else []),
        f"{len(found.faults)} promises broken{f', seeds {total.broken}' if total.broken else ''}",
    ]
    return "\n".join(lines)


if __name__ == "__main__":
    found = run(int(sys.argv[1]) if len(sys.argv) > 1 else 200, int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    print(told(found))
    sys.exit(found.failed)
