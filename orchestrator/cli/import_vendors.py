"""`orchestrator import klaviyo|braze|mailchimp`: what another system exported, suppressions before anything else.

All tables are read twice. The first time only addresses are taken that nothing may be sent to; not before these stand
are profiles, choices and the past read. Each reading of each table goes on where it was broken off.
"""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from orchestrator.cli.arguments import nearest_word
from orchestrator.cli.deploying import actor
from orchestrator.cli.import_rejects import FirstFew, Rejects
from orchestrator.cli.import_rows import TableImport, digest_of_file
from orchestrator.cli.import_suppressions import Suppressions
from orchestrator.cli.problem_list import number_of
from orchestrator.cli.progress import progress_bar
from orchestrator.cli.terminal import Terminal
from orchestrator.definitions.archives import Exported, tables_in
from orchestrator.definitions.mapping_rows import Instants, RowUnusable
from orchestrator.definitions.table_readers import ROW_NUMBER, Row, read_rows
from orchestrator.errors import ProjectInvalid, UsageError
from orchestrator.runtime.imports import ImportCounts, ImportedEvent, import_customers_once, import_events_once
from orchestrator.runtime.others_braze import Braze
from orchestrator.runtime.others_klaviyo import Klaviyo
from orchestrator.runtime.others_mailchimp import Mailchimp
from orchestrator.runtime.others_rows import Reader, Said, given_in
from orchestrator.runtime.plus_addresses import kept_apart

if TYPE_CHECKING:
    from orchestrator.core.project import Project
    from orchestrator.stores.protocol import Store
    from orchestrator.wiring.installation import Installation

READERS: Final[Mapping[str, type[Reader]]] = {"klaviyo": Klaviyo, "braze": Braze, "mailchimp": Mailchimp}
MOST_SHOWN: Final = 20


class Closing:
    """First: addresses that nothing may be sent to."""

    def __init__(self, reader: Reader, file: str, suppressions: Suppressions, counts: Counter[str]) -> None:
        self._reader = reader
        self._file = file
        self._suppressions = suppressions
        self._counts = counts

    def prepare(self, path: Path) -> None:
        """Nothing has to be known before."""

    def made_of(self, row: Row) -> list[Any]:
        """Entries of the list. An address that is none closes nothing: nothing can be sent there."""
        made = []
        for channel, address, cause in self._reader.closings(row, self._file):
            with suppress(RowUnusable):
                made.append(self._suppressions.entry(channel, address, cause))
                self._counts[f"{channel} {cause}"] += 1
        return made

    def write(self, store: Store, made: list[Any], now: datetime, trigger: bool) -> ImportCounts:
        """On the list at once."""
        return self._suppressions.write(store, made, now, trigger)


class People:
    """Then: profiles, choices of a topic, and the past; all of it in silence."""

    def __init__(
        self, reader: Reader, file: str, topic: str | None, digest: str, now: datetime, counts: Counter[str]
    ) -> None:
        self._reader = reader
        self._file = file
        self._topic = topic
        self._digest = digest
        self._now = now
        self._counts = counts

    def prepare(self, path: Path) -> None:
        """Nothing has to be known before."""

    def made_of(self, row: Row) -> list[Any]:
        """(row, what it says)."""
        said = self._reader.read(row, self._file)
        self._counts["profiles"] += 1
        for choice in said.chosen:
            self._counts[f"{choice.channel} {choice.state}"] += 1
        self._counts["events"] += len(said.happened)
        return [(row[ROW_NUMBER], said)]

    def write(self, store: Store, made: list[Any], now: datetime, trigger: bool) -> ImportCounts:
        """Opt-outs come last of a customer's choices in a batch, so that none is opened by another row."""
        customers = [(row, said.customer, self._traits(said)) for row, said in made]
        customers.sort(key=lambda item: _closes(item[2]))
        done = import_customers_once(store, customers, now)
        events = [
            ImportedEvent(
                row, said.customer, one.name, min(one.at, now), one.properties, f"{self._digest[:16]}:{row}:{place}"
            )
            for row, said in made
            for place, one in enumerate(said.happened)
        ]
        if events:
            import_events_once(store, events, {}, now)
        return done

    def _traits(self, said: Said) -> dict[str, Any]:
        traits = dict(said.traits)
        created_at = traits.get("created_at")
        if created_at is not None and created_at > self._now:
            del traits["created_at"]
        if self._topic is not None and said.chosen:
            traits["consents"] = {self._topic: {choice.channel: self._choice(choice) for choice in said.chosen}}
        return traits

    def _choice(self, choice: Any) -> dict[str, Any]:
        made = {"state": choice.state, "source": "import", "proof": dict(choice.proof)}
        if choice.at is not None:
            made["at"] = min(choice.at, self._now)
        return made


def _closes(traits: Mapping[str, Any]) -> bool:
    channels = [said for topic in traits.get("consents", {}).values() for said in topic.values()]
    return any(said["state"] == "out" for said in channels)


def run_vendor(args: argparse.Namespace, terminal: Terminal) -> int:
    """Takes an export of `args.kind`, or says what it would take."""
    from orchestrator.wiring.installation import installation, real_now

    with installation(args.project, args.database, args.broker) as place, _room() as room, ExitStack() as stack:
        project = place.adopt().live.project  # type: ignore[union-attr]  # adopt raises where there is none
        topic = _topic(args.topic, project)
        tables = list(tables_in(args.file, room))
        if not tables:
            raise UsageError("there is no table in there; give the files that were exported", "nothing_exported")
        taking = _Taking(place, project, args.kind, topic, terminal)
        whose = stack.enter_context(_Ids(room / "ids.db"))
        for table in tables:
            taking.learn(table, whose)
        whose.done()
        if args.dry_run:
            for table in tables:
                taking.look(table)
        else:
            for table in tables:
                taking.close(table)
            taking.refuse_unread()
            for table in tables:
                taking.take(table)
            detail = f"{number_of(taking.counts['profiles'], 'profile')} of {number_of(len(tables), 'file')}"
            place.store.audit(real_now(), actor(), f"import {args.kind}", detail)
        taking.tell(args.dry_run, len(tables))
    return 0


@contextmanager
def _room() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="orchestrator-import-") as folder:
        yield Path(folder)


def _topic(name: str | None, project: Project) -> str | None:
    """The topic of the other system's subscriptions. Raises UsageError where it has to be named."""
    if name is None:
        known = [topic.id for topic in project.topics.values() if topic.klass == "promotional"]
        if len(known) == 1:
            return known[0]
        raise UsageError(
            f"name the topic that the subscriptions are to: --topic {' or '.join(known) if known else 'NAME'}",
            "no_topic",
        )
    if name not in project.topics:
        near = nearest_word(name, project.topics)
        raise UsageError(f"there is no topic '{name}'" + (f"; did you mean {near}?" if near else ""), "unknown_topic")
    return name


class _Ids:
    """Whom addresses belong to, by the brand's own ids, beside what is unpacked: there may be millions."""

    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=OFF")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute("CREATE TABLE ids (address TEXT PRIMARY KEY, id TEXT) WITHOUT ROWID")
        self._db.execute("BEGIN")
        self._any = False

    def __enter__(self) -> _Ids:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def learn(self, address: str, id: str) -> None:
        """The first id that an address has stands."""
        self._any = True
        self._db.execute("INSERT OR IGNORE INTO ids VALUES (?, ?)", (address, id))

    def done(self) -> None:
        """All are known."""
        self._db.execute("COMMIT")

    def of(self, address: str) -> str | None:
        """The id of an address."""
        found = self._db.execute("SELECT id FROM ids WHERE address = ?", (address,)).fetchone() if self._any else None
        return None if found is None else str(found[0])


class _Taking:
    """One run over all tables of an export."""

    def __init__(self, place: Installation, project: Project, kind: str, topic: str | None, terminal: Terminal) -> None:
        self._place = place
        self._project = project
        self._kind = kind
        self._topic = topic
        self._terminal = terminal
        self._columns: dict[str, str] = {}
        self._reader = READERS[kind](project.attributes, Instants(project.timezone), self._columns.setdefault)
        self._suppressions = Suppressions(kept_apart(place.store), place.store.salt)
        self._said = FirstFew(MOST_SHOWN)
        self._closed: Counter[str] = Counter()
        self.counts: Counter[str] = Counter()
        self._new = Counter[str]()
        self._rejected = 0
        self._unread: list[str] = []
        self._doubtful: list[str] = []
        """Of these the ones that hold something, and are no mere text."""

    def learn(self, table: Exported, whose: _Ids) -> None:
        """Whom addresses belong to, before anything is taken: tables without ids are about the same people."""
        self._reader.ids = whose.of
        with self._readable(table):
            for row in read_rows(table.path):
                given = given_in(row)
                id = self._reader.own_id(given)
                for address in self._reader.addresses(given) if id else ():
                    whose.learn(address, str(id))

    def look(self, table: Exported) -> None:
        """Count, and change nothing."""
        closing = Closing(self._reader, table.name, self._suppressions, self._closed)
        people = People(self._reader, table.name, self._topic, "", self._place.journey_now(), self.counts)
        with self._readable(table):
            for row in read_rows(table.path, rejected=lambda rejected: self._reject(rejected.row, rejected.reason)):
                try:
                    closing.made_of(row)
                    people.made_of(row)
                except RowUnusable as error:
                    self._reject(row[ROW_NUMBER], str(error))

    def _reject(self, row: int, reason: str) -> None:
        self._rejected += 1
        self._said.add(row, reason)

    def close(self, table: Exported) -> None:
        """Take the addresses that nothing may be sent to."""
        self._run(table, "closed", Closing(self._reader, table.name, self._suppressions, self._closed))

    def take(self, table: Exported) -> None:
        """Take everything else."""
        digest = digest_of_file(table.path)
        now = self._place.journey_now()
        self._run(table, "people", People(self._reader, table.name, self._topic, digest, now, self.counts))

    def _run(self, table: Exported, what: str, kind: Any) -> None:
        with self._readable(table):
            digest = digest_of_file(table.path, table.name.encode(), (self._topic or "").encode())
            one = TableImport(
                self._place, self._project, table.path, None, digest, f"{self._kind}:{what}", self._said, kind
            )
            if one.done:
                self._new["skipped"] += one.done
            path = Path(f"{self._kind}-{what}-{digest[:8]}.rejects.jsonl")
            rejects = Rejects(path, done=one.done, most_shown=MOST_SHOWN)
            try:
                with progress_bar(self._terminal, f"{table.name}: {what}") as progress:
                    done = one.run(rejects, False, progress)
            finally:
                rejects.close()
            self._new[what] += done.taken
            self._new["created"] += done.created
            if what == "people":
                self._rejected += rejects.shown.count
                for line in rejects.shown.first:
                    self._said.first.append(f"{table.name}, {line}")
            elif rejects.path.exists():
                rejects.path.unlink()  # the second reading tells the same rows

    def refuse_unread(self) -> None:
        """Nobody is taken while a table cannot be read: it may tell to whom nothing may be sent."""
        tables = self._doubtful
        if tables:
            raise UsageError(
                f"{', '.join(tables[:5])} cannot be read, and may name people who want nothing; all other suppressions "
                "were taken, and nobody else was. Mend or remove it, and give the same again",
                "export_unread",
            )

    @contextmanager
    def _readable(self, table: Exported) -> Iterator[None]:
        """A file among others that is no table is told, and the others are read; alone, it ends the import."""
        try:
            yield
        except ProjectInvalid as error:
            if table.name not in self._unread:
                self._unread.append(table.name)
                if not table.name.lower().endswith(".txt") and table.path.stat().st_size:
                    self._doubtful.append(table.name)
                self._terminal.note(f"{table.name} was left out: {error.problems[0].message}")

    def tell(self, dry: bool, tables: int) -> None:
        """What became of it, or would."""
        counts = {name: count for name, count in sorted(self.counts.items()) if name not in ("profiles", "events")}
        self._terminal.data(
            {
                "system": self._kind, "dry_run": dry, "files": tables, "left_out": self._unread, "topic": self._topic,
                "profiles": self.counts["profiles"], "events": self.counts["events"],
                "suppressions": dict(sorted(self._closed.items())), "choices": counts,
                "new_suppressions": self._new["closed"], "created": self._new["created"],
                "skipped": self._new["skipped"], "rejected": self._rejected, "attributes": self._columns,
            }
        )  # fmt: skip
        say = self._terminal.say
        would = "would be " if dry else ""
        say(f"{number_of(self._closed.total(), 'suppression')} {would}taken first, of {number_of(tables, 'file')}")
        for name, count in sorted(self._closed.items()):
            say(f"  {name}: {count:,}")
        say(f"{number_of(self.counts['profiles'], 'profile')} and {number_of(self.counts['events'], 'event')}")
        for name, count in counts.items():
            say(f"  {name} ({self._topic}): {count:,}")
        if self._new["skipped"]:
            say(f"{number_of(self._new['skipped'], 'row')} were imported before")
        undeclared = {column: name for column, name in self._columns.items() if name not in self._project.attributes}
        if undeclared:
            self._terminal.note(f"{number_of(len(undeclared), 'column')} became attributes that schema.yaml does not")
            self._terminal.note(f"declare: {', '.join(sorted(undeclared.values())[:MOST_SHOWN])}")
        if self._rejected:
            self._terminal.note(f"{number_of(self._rejected, 'row')} could not be used:")
            for line in self._said.first[:MOST_SHOWN]:
                self._terminal.note(f"  {line}")
