"""What `import` does with a row of each kind of table: customers, events, consents, coupon codes."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from orchestrator.cli.import_rejects import numbered_rows
from orchestrator.core.consent import choices_in
from orchestrator.core.expression.nearest import nearest
from orchestrator.core.identity import stable_hash
from orchestrator.definitions.mapping_rows import Instants, RowMapper, RowUnusable, identifier
from orchestrator.definitions.plain_rows import PlainRows
from orchestrator.definitions.table_readers import ROW_NUMBER, Row
from orchestrator.insights.profile_faults import contradictions, unusable_fields
from orchestrator.runtime.customer_table import IDS, CustomerRows, traits_of_spec
from orchestrator.runtime.imports import ImportCounts, ImportedEvent, import_customers_once, import_events_once

if TYPE_CHECKING:
    from orchestrator.core.project import Project
    from orchestrator.definitions.mapping import TableMapping
    from orchestrator.stores.protocol import Store

KINDS: Final = ("customers", "events", "consents", "codes")
LONGEST_CODE: Final = 200
"""Characters of a coupon's code."""
_CHANNELS: Final = ("email", "sms", "push", "whatsapp", "wechat", "inbox")

Warn = Callable[[int, str], None]
"""Hears of a row's value that was taken, and is not what it should be."""


class Kind(Protocol):
    """One kind of table."""

    def prepare(self, path: Path) -> None:
        """A look at the whole table, before its first row is taken."""

    def made_of(self, row: Row) -> list[Any]:
        """What a row gives. Raises RowUnusable."""

    def write(self, store: Store, made: list[Any], now: datetime, trigger: bool) -> ImportCounts:
        """Keep what the rows of a batch gave."""


class Customers:
    """A row is a customer's profile."""

    def __init__(
        self, project: Project, mapping: TableMapping | None, all_text: bool, now: datetime, warn: Warn
    ) -> None:
        self._mapper = RowMapper(mapping, all_text=all_text) if mapping is not None else None
        self._rows = CustomerRows(project.attributes, project.timezone, all_text=all_text)
        self._project = project
        self._now = now
        self._warn = warn

    def prepare(self, path: Path) -> None:
        """Nothing has to be known before."""

    def made_of(self, row: Row) -> list[Any]:
        """(row, customer, traits)."""
        number: int = row[ROW_NUMBER]
        if self._mapper is None:
            customer, traits = self._rows.map(row)
        else:
            customer, _ = self._mapper.map(row)
            values = self._mapper.profile(row)
            spec = self._mapper.customer_spec(customer, self._now, values)
            # Whoever is known already keeps the instant of creation, unless the table gives one.
            traits = traits_of_spec(replace(spec, created_at=values[0] if values else None))
        self._look_at(number, traits)
        return [(number, customer, traits)]

    def _look_at(self, row: int, traits: Mapping[str, Any]) -> None:
        found = contradictions(traits, self._project.attributes, [stage.name for stage in self._project.stages])
        for name, why in (*unusable_fields(traits).items(), *found.items()):
            self._warn(row, f"`{name}`: {why}")

    def write(self, store: Store, made: list[Any], now: datetime, trigger: bool) -> ImportCounts:
        """Profiles, in silence unless `trigger`."""
        return import_customers_once(store, made, now, trigger)


class Events:
    """A row is one or more events of the past. `digest` makes ids of those that have none."""

    def __init__(self, project: Project, mapping: TableMapping | None, all_text: bool, digest: str) -> None:
        self._mapper = RowMapper(mapping, all_text=all_text) if mapping is not None else PlainRows(project.timezone)
        self._digest = digest

    def prepare(self, path: Path) -> None:
        """Nothing has to be known before."""

    def made_of(self, row: Row) -> list[Any]:
        """(event, traits of its customer)."""
        number: int = row[ROW_NUMBER]
        customer, events = self._mapper.map(row)
        if not events:
            return []
        first_at = min(event.at for event in events)
        spec = self._mapper.customer_spec(customer, first_at, self._mapper.profile(row))
        traits = traits_of_spec(spec, first_at)
        made = []
        for event in events:
            name, names, place = self._mapper.shapes[event.shape]
            message_id = event.id if event.id is not None else f"{self._digest[:16]}:{number}:{place}"
            properties = dict(zip(names, event.values))
            made.append((ImportedEvent(number, customer, name, event.at, properties, message_id), traits))
        return made

    def write(self, store: Store, made: list[Any], now: datetime, trigger: bool) -> ImportCounts:
        """They join the past; with `trigger` they arrive now."""
        profiles: dict[str, Any] = {}
        for event, traits in made:
            profiles.setdefault(event.customer, traits)
        return import_events_once(store, [event for event, _ in made], profiles, now, trigger)


class _Chosen(NamedTuple):
    customer: str
    topic: str
    channel: str
    state: str
    at: datetime | None
    more: Mapping[str, Any]


class Consents:
    """A row is one choice: customer, topic, channel, state, and maybe `at`, when it was made, `source`, `wording`,
    `proof` (a JSON object) and `expires_at`.

    Of several rows about one choice the one with the latest `at` counts, and without it the last in the file. No
    suppression is lifted by a table, and an opt-out that is known here only by what is newer and shown to be the
    person's own.
    """

    def __init__(self, project: Project, now: datetime) -> None:
        self._topics = project.topics
        self._instants = Instants(project.timezone)
        self._now = now
        self._last: dict[int, tuple[datetime | None, int]] = {}
        """Of each choice the row that counts, with its instant."""

    def prepare(self, path: Path) -> None:
        """Find the rows that count: a later row may tell of an earlier choice."""
        for _, row in numbered_rows(path):
            try:
                chosen = self._read(row)
            except RowUnusable:
                continue
            key, number = _choice(chosen), row[ROW_NUMBER]
            known = self._last.get(key)
            if known is None or _is_later(chosen.at, known[0]):
                self._last[key] = (chosen.at, number)

    def made_of(self, row: Row) -> list[Any]:
        """(row, customer, traits, whether it counts)."""
        chosen, number = self._read(row), row[ROW_NUMBER]
        counts = self._last.get(_choice(chosen), (None, number))[1] == number
        said: Any = {"state": chosen.state, "at": chosen.at, **chosen.more}
        said = {name: value for name, value in said.items() if value is not None}
        traits = {"consents": {chosen.topic: {chosen.channel: said if len(said) > 1 else chosen.state}}}
        try:
            list(choices_in(traits, silent=True))
        except ValueError as error:
            raise RowUnusable(str(error)) from None
        return [(number, chosen.customer, traits, counts)]

    def _read(self, row: Row) -> _Chosen:
        found = next((row[name] for name in reversed(IDS) if row.get(name) not in (None, "")), None)
        customer = identifier(found, "`customer`")
        topic = _one_of("topic", row, {name: t.title for name, t in self._topics.items()})
        channel = _one_of("channel", row, dict.fromkeys(_CHANNELS))
        state = _one_of("state", row, {"in": None, "out": None})
        given = row.get("at")
        at = None if given in (None, "") else self._instants.read(given, "`at`")
        if at is not None and at > self._now:
            raise RowUnusable("`at` lies in the future")
        return _Chosen(customer, topic, channel, state, at, self._more(row))

    def _more(self, row: Row) -> dict[str, Any]:
        """What proves the choice, as far as the row has it."""
        more: dict[str, Any] = {}
        for name in ("source", "wording"):
            if row.get(name) not in (None, ""):
                more[name] = identifier(row[name], f"`{name}`")
        if row.get("expires_at") not in (None, ""):
            more["expires_at"] = self._instants.read(row["expires_at"], "`expires_at`")
        proof = row.get("proof")
        if isinstance(proof, str) and proof.strip():
            try:
                proof = json.loads(proof)
            except ValueError:
                proof = {"said": proof}
        if proof not in (None, ""):
            more["proof"] = proof
        return more

    def write(self, store: Store, made: list[Any], now: datetime, trigger: bool) -> ImportCounts:
        """One profile for each customer of the batch, so that what is known already is looked at once."""
        chosen: dict[str, tuple[int, dict[str, dict[str, Any]]]] = {}
        for number, customer, traits, counts in made:
            if counts:
                _, consents = chosen.setdefault(customer, (number, {}))
                for topic, channels in traits["consents"].items():
                    consents.setdefault(topic, {}).update(channels)
        items = [(number, customer, {"consents": consents}) for customer, (number, consents) in chosen.items()]
        done = import_customers_once(store, items, now, trigger)
        taken = sum(1 for *_, counts in made if counts)
        lost = len(done.refused) + len(done.kept_out)
        return ImportCounts(taken - lost, len(made) - taken, done.created, done.refused, done.kept_out)


class Codes:
    """A row is one code of an offer whose codes are imported. Those of an export that were given (`status`) are none
    that can be given."""

    def __init__(self, project: Project) -> None:
        self._offers = project.offers

    def prepare(self, path: Path) -> None:
        """Nothing has to be known before."""

    def made_of(self, row: Row) -> list[Any]:
        """(offer, code)."""
        offer = _one_of("offer", row, {name: known.title for name, known in self._offers.items()})
        if not self._offers[offer].imported:
            raise RowUnusable(f"the codes of `{offer}` are generated; offers.yaml would say codes: {{import: true}}")
        if str(row.get("status") or "").strip().lower() == "given":
            raise RowUnusable("the code was given to somebody already: to give it again would be to give it twice")
        code = identifier(row.get("code"), "`code`").strip()
        if len(code) > LONGEST_CODE or not code.isprintable():
            raise RowUnusable(f"`code` is no text of at most {LONGEST_CODE} printable characters")
        return [(offer, code)]

    def write(self, store: Store, made: list[Any], now: datetime, trigger: bool) -> ImportCounts:
        """Each code once for ever."""
        by_offer = groupby(sorted(made, key=itemgetter(0)), itemgetter(0))
        new = sum(store.import_codes(offer, [code for _, code in rows]) for offer, rows in by_offer)
        return ImportCounts(new, len(made) - new)


def _choice(chosen: _Chosen) -> int:
    return stable_hash(chosen.customer, chosen.topic, chosen.channel)


def _is_later(at: datetime | None, than: datetime | None) -> bool:
    """Of the same instant, or where none is given, the later row counts; a row with an instant before one without."""
    if at is None or than is None:
        return than is None
    return at >= than


def _one_of(name: str, row: Row, known: Mapping[str, object]) -> str:
    value = identifier(row.get(name), f"`{name}`").strip()
    if value in known:
        return value
    near = nearest(value, known)
    raise RowUnusable(
        f"`{name}` is '{value[:40]}'; " + (f"did you mean {near}?" if near else f"there is {_some(list(known))}")
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "") if names else "none"
