"""What `doctor` looks at: one small check after another, each with what it found and what to do."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from orchestrator.core.provider_urls import provider_urls
from orchestrator.errors import OrchestratorError, Problem, UsageError
from orchestrator.insights.profile_faults import unusable_fields
from orchestrator.runtime.clock import JOURNEY_MARK, REAL_MARK, VIRTUAL_MARK
from orchestrator.runtime.deployment import load_snapshot
from orchestrator.runtime.engine_lock import EngineLock
from orchestrator.settings import Settings, unknown_variables
from orchestrator.stores.protocol import Store, StoreBusy
from orchestrator.wiring.bounces import bounce_place
from orchestrator.wiring.checks_processes import Finding, examine_broker, examine_processes, examine_server
from orchestrator.wiring.checks_safety import examine_audit, examine_safety
from orchestrator.wiring.checks_sealing import examine_retention, examine_sealing
from orchestrator.wiring.checks_webhooks import examine_webhooks
from orchestrator.wiring.databases import Database, database_of, open_database, pending_of
from orchestrator.wiring.installation import real_clock, real_now, settings_of
from orchestrator.wiring.outside import caller_of, reached, refuse_unreadable_chats
from orchestrator.wiring.person import first_customers
from orchestrator.wiring.secret_key import key_path, too_open
from orchestrator.wiring.trouble import TROUBLES, told_trouble

LEAST_FREE: Final = 512 << 20
"""Bytes of free disk below which an installation is in danger."""
OLDEST_INBOX: Final = timedelta(minutes=1)
OLDEST_DUE: Final = timedelta(minutes=1)
"""Journey time for which something that is due may wait in a lane."""
ENGINE_SILENT: Final = timedelta(seconds=15)
"""Real time after which a running engine should have written its clock down."""
MOST_NAMED: Final = 5
MOST_LOOKED_AT: Final = 1_000
"""Customers whose profiles are looked at."""


def examine(
    project: Path,
    database_url: str | None,
    broker_url: str | None,
    environment: Mapping[str, str],
    lint: Callable[[Path], tuple[Problem, ...]],
) -> Iterator[Finding]:
    """Everything, one finding after another. A check that cannot be made says so, and the others go on."""
    for told in unknown_variables(environment):
        yield Finding("settings", "note", told, "correct its name, or take it away")
    try:
        settings = settings_of(database_url, broker_url)
        database = database_of(settings, project)
        database.refuse_memory()
    except UsageError as error:
        yield Finding("settings", "wrong", str(error), "correct it; nothing else can be looked at before")
        return
    yield Finding("settings", "ok", "every setting can be read")
    yield from _safely("project", lambda: _project(project, lint))
    yield from _safely("channels", lambda: _channels(settings, project))
    if settings.broker_url is not None:
        yield from _safely("broker", lambda: examine_broker(str(settings.broker_url)))
    if database.url is not None:
        yield from _safely("database", lambda: _server(database, settings))
        return
    yield from _safely("disk", lambda: _disk(database))
    yield from _safely("database", lambda: _database(database, settings))


def _safely(name: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    try:
        yield from check()
    except (OrchestratorError, StoreBusy, OSError, sqlite3.Error) as error:
        yield Finding(name, "wrong", str(error) or type(error).__name__)


def _project(project: Path, lint: Callable[[Path], tuple[Problem, ...]]) -> Iterator[Finding]:
    if not (project / "journeys").is_dir():
        yield Finding("project", "note", f"there is no project in {project}", "give its folder as --project DIR")
        return
    problems = lint(project)
    errors = [problem for problem in problems if problem.severity == "error"]
    if errors:
        hint = "`orchestrator lint` shows them all"
        yield Finding("project", "wrong", f"{len(errors)} errors; the first: {errors[0].headline()}", hint)
    elif problems:
        hint = "`orchestrator lint` shows them all"
        yield Finding("project", "note", f"{len(problems)} warnings; the first: {problems[0].headline()}", hint)
    else:
        yield Finding("project", "ok", "journeys, templates and links have no problems")


def _channels(settings: Settings, project: Path) -> Iterator[Finding]:
    caller_of(settings)
    refuse_unreadable_chats(settings)
    if settings.test_mode == "seeds":
        seeds = len(settings.seed_addresses)
        words = f"test mode: messages reach the {seeds} seed addresses only; all others are rejected"
        yield Finding("channels", "note", words, "unset ORCHESTRATOR_TEST_MODE to send to customers")
    found = reached(settings, project)
    for name, to in found.items():
        if to.leaves:
            for place, url in enumerate(provider_urls(to.url)):
                words = "leaves by" if place == 0 else "leaves, too, by"
                yield Finding("channels", "ok", f"{name} {words} {url}")
        elif name in ("email", "sms"):
            variable = {"email": "ORCHESTRATOR_SMTP_URL", "sms": "ORCHESTRATOR_SMS_URL"}[name]
            yield Finding("channels", "note", f"{name} stays on this machine ({to.url})", f"set {variable} to send")
    bounces = bounce_place(settings, project)
    if bounces is not None:
        yield Finding("channels", "ok", f"bounces are read from {bounces.shown}")
    elif found["email"].leaves and found["email"].url.startswith("smtp"):
        hint = "set ORCHESTRATOR_BOUNCE_URL, and send with ?bounces=bounces@..., so that dead addresses are given up"
        yield Finding("channels", "note", "no mailbox of bounces is read", hint)


def _disk(database: Database) -> Iterator[Finding]:
    folder = next(
        place for place in (database.file.parent.resolve(), *database.file.resolve().parents) if place.exists()
    )
    free = shutil.disk_usage(folder).free
    if free < LEAST_FREE:
        hint = "make room: with a full disk nothing is taken and nothing is sent"
        yield Finding("disk", "wrong", f"{free >> 20} MB are free at {folder}", hint)
    else:
        yield Finding("disk", "ok", f"{free / (1 << 30):.1f} GB are free")


def _server(database: Database, settings: Settings) -> Iterator[Finding]:
    if not database.exists:
        yield Finding("database", "wrong", f"{database} has no tables yet", "run `orchestrator db upgrade`")
        return
    waiting = pending_of(database)
    if waiting:
        hint = "make a copy, and run `orchestrator db upgrade`"
        yield Finding("database", "wrong", f"{database} lacks {len(waiting)} migrations", hint)
        return
    store = open_database(database)
    try:
        yield Finding("database", "ok", f"{database} has this version's tables")
        if settings.secret_key is None:
            hint = "make one with `openssl rand -base64 48`, the same for all processes, and keep it"
            yield Finding("secret", "wrong", "ORCHESTRATOR_SECRET_KEY is not set", hint)
        yield from examine_server(store)
        yield from examine_processes(store, real_clock(store)(), settings.broker_url is not None)
        yield from examine_sealing(store)
        yield from examine_audit(store)
        yield from _contents(store, settings)
    finally:
        store.close()


def _database(database: Database, settings: Settings) -> Iterator[Finding]:
    path = database.file
    if not database.exists:
        hint = "`orchestrator up` makes it, and so does `orchestrator db upgrade`"
        yield Finding("database", "note", f"there is no {path} yet", hint)
        return
    if not os.access(path, os.W_OK) or not os.access(path.parent, os.W_OK):
        hint = "run as the account that owns it; SQLite also writes files beside it"
        yield Finding("database", "wrong", f"{path}, or its folder, cannot be written", hint)
        return
    waiting = pending_of(database)
    if waiting:
        hint = "stop what uses it, make a copy, and run `orchestrator db upgrade`"
        yield Finding("database", "wrong", f"{path} lacks {len(waiting)} migrations", hint)
        return
    with closing(sqlite3.connect(path, timeout=6.0, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")  # whoever holds it for longer than this holds up everything
        connection.execute("ROLLBACK")
    yield Finding("database", "ok", f"{path} has this version's tables and can be written")
    if too_open(key_path(path)):
        yield Finding("secret", "wrong", f"others may read {key_path(path)}", f"chmod 600 {key_path(path)}")
    store = open_database(database)
    try:
        if settings.broker_url is None:
            yield from _engine(store, path)
        else:
            yield from examine_processes(store, real_now(), True)
        yield from examine_sealing(store)
        yield from examine_audit(store)
        yield from _contents(store, settings)
    finally:
        store.close()


def _engine(store: Store, path: Path) -> Iterator[Finding]:
    holder = EngineLock(path).holder()
    kept_at, stands_at = store.mark(REAL_MARK), store.mark(JOURNEY_MARK)
    if holder is None:
        yield Finding("engine", "note", "no engine runs on it", "start one: `orchestrator up`")
        return
    silent_for = real_now() - kept_at if kept_at is not None else None
    if silent_for is None or silent_for > ENGINE_SILENT:
        since = "never" if silent_for is None else f"{silent_for.total_seconds():.0f} s ago"
        hint = "its log says why; end it and start it again, nothing is lost by that"
        yield Finding("engine", "wrong", f"{holder} has the lock, but gave its last sign of life {since}", hint)
        return
    yield Finding("engine", "ok", f"it runs: {holder}")
    for name, since_at in told_trouble(store, TROUBLES).items():
        lane = name.startswith("lane ")
        words = f"the {name} {'fails' if lane else 'is out of order'} since {since_at:%Y-%m-%d %H:%M:%S}Z"
        hint = "the status page and the engine's log say why; what waits goes on by itself when it works again"
        yield Finding("engine" if lane else "channels", "wrong", words, hint)
    if store.mark(VIRTUAL_MARK) is not None and stands_at is not None:
        yield Finding(
            "clock", "note", f"journeys run on a clock of their own, which stands at {stands_at:%Y-%m-%d %H:%M}Z"
        )


def _contents(store: Store, settings: Settings) -> Iterator[Finding]:
    seen = store.overview()
    snapshots = store.snapshots()
    live = load_snapshot(snapshots[-1]).project if snapshots else None
    if live is not None:
        yield from examine_retention(live)
    else:
        yield Finding("deployed", "wrong", "nothing is deployed", "run `orchestrator deploy`, or `orchestrator up`")
    now = store.mark(JOURNEY_MARK) or real_now()
    if seen.oldest_at is not None and now - seen.oldest_at > OLDEST_INBOX:
        late = (now - seen.oldest_at).total_seconds()
        hint = "an engine has to run; if one does, see its log"
        yield Finding("inbox", "wrong", f"{seen.inbox} items wait, the oldest for {late:.0f} s of journeys' time", hint)
    else:
        yield Finding("inbox", "ok", f"{seen.inbox} items wait for a turn, {seen.queued} messages for their hand-over")
    yield from _waiting(store, now)
    yield from examine_safety(store, live, now, real_now())
    if live is not None and live.webhooks:
        yield from examine_webhooks(store, live, settings, now)
    if seen.parked:
        names = ", ".join(f"{parked.customer} ({parked.reason})" for parked in seen.parked[:MOST_NAMED])
        hint = "`orchestrator why CUSTOMER` tells more; `orchestrator resume JOURNEY` tries them again"
        yield Finding("parked", "wrong", f"{len(seen.parked)} customers are parked: {names}", hint)
    stuck = {journey: count for (journey, status), count in seen.enrollments.items() if status == "parked"}
    if stuck:
        names = ", ".join(f"{count} in {journey}" for journey, count in sorted(stuck.items()))
        hint = "mend the journey and deploy it, then `orchestrator resume JOURNEY`"
        yield Finding("parked", "wrong", f"enrollments failed and stand still: {names}", hint)
    yield from _profiles(store)
    if seen.refused:
        first = "; ".join(f"{item.source}: {item.reason}" for item in store.refused(MOST_NAMED))
        hint = "the status page lists them; correct whoever sends them"
        yield Finding("refused", "note", f"{seen.refused} items could not be taken, such as {first}", hint)


def _waiting(store: Store, now: datetime) -> Iterator[Finding]:
    """How long the oldest thing that is due has waited, by lane."""
    from orchestrator.wiring.figures import ages_of

    ages = {lane: age for lane, age in ages_of(store.oldest_due(now), now).items() if age}
    shown = ", ".join(f"{lane} for {age:,.0f} s" for lane, age in ages.items())
    late = [lane for lane, age in ages.items() if age > OLDEST_DUE.total_seconds()]
    if late:
        hint = f"nobody takes work from {', '.join(late)}, or it is more than they can do; start workers for it"
        yield Finding("due", "wrong", f"the oldest thing that is due waits: {shown}", hint)
    else:
        yield Finding("due", "ok", f"the oldest thing that is due waits: {shown}" if ages else "nothing is overdue")


def _profiles(store: Store) -> Iterator[Finding]:
    """Whether profiles can be used: a look at the first ones, as there may be millions."""
    looked, names = 0, []
    for customer in first_customers(store, MOST_LOOKED_AT):
        looked += 1
        faults = unusable_fields({name: getattr(customer, name) for name in ("email", "phone", "timezone", "country")})
        names += [f"{customer.id} ({', '.join(faults)})"] if faults else []
    if names:
        has, told = "has" if len(names) == 1 else "have", ", ".join(names[:MOST_NAMED])
        words = f"{len(names):,} of the {looked:,} customers looked at {has} values that cannot be used, such as {told}"
        yield Finding("profiles", "note", words, "`orchestrator customer show ID` says what is wrong with them")
