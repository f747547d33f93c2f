"""Imports: one batch of a table at a time into a running installation. Events join the past and enter nobody.

A batch and the mark that says how far the import is are written together, so that an import that was broken off goes
on with the next row; a row that is taken twice all the same has the same ids.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from orchestrator.core.consent import choices_in, reopens
from orchestrator.core.customer import Customer
from orchestrator.core.inbox import Body, Event, HistoryLaid, Identified
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.stores.protocol import Arrival, Store

BATCH: Final = 4_000
"""Rows that are written together: on SQLite others wait for a fraction of a second meanwhile."""
_LOOK_AGAIN: Final = Identified({}, silent=True)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ImportedEvent(NamedTuple):
    """An event of a table, with its row's number."""

    row: int
    customer: str
    name: str
    at: datetime
    properties: Mapping[str, Any]
    message_id: str


class ImportCounts(NamedTuple):
    """What one batch did. `refused`: (row, reason) of what could not be kept; `kept_out`: of consents that a known
    opt-out outlasts, one for each choice, beside whatever else their rows gave."""

    taken: int = 0
    duplicates: int = 0
    created: int = 0
    refused: tuple[tuple[int, str], ...] = ()
    kept_out: tuple[tuple[int, str], ...] = ()


def rows_done(store: Store, name: str) -> int:
    """How many rows of this import were written already. A mark is an instant: its microseconds since 1970 count."""
    at = store.mark(_mark(name))
    return 0 if at is None else (at - _EPOCH) // timedelta(microseconds=1)


def mark_done(store: Store, name: str, rows: int) -> None:
    """Write down how many rows were written; in the transaction that wrote them."""
    store.mark(_mark(name), _EPOCH + timedelta(microseconds=rows))


def _mark(name: str) -> str:
    return f"import:{name}"


def import_events_once(
    store: Store,
    events: Sequence[ImportedEvent],
    profiles: Mapping[str, Mapping[str, Any]],
    now: datetime,
    trigger: bool = False,
) -> ImportCounts:
    """Write one batch. `profiles` are the traits with which customers who are unknown are created, in silence.

    Events join the history; with `trigger` they arrive now, under their own timestamps, and do what events do.
    """
    known = store.known_customers(profiles.keys())
    new = {customer: None for customer in profiles if customer not in known}
    if trigger:
        made: list[tuple[str, Body]] = [(customer, Identified(profiles[customer], silent=True)) for customer in new]
        arriving = [Incoming(e.customer, e.name, e.properties, e.at, e.message_id) for e in events]
        done = ingest_once(store, [*made, *arriving], now)
        refused = [(events[place - len(made)].row if place >= len(made) else 0, why) for place, why in done.refused]
        return ImportCounts(done.accepted - len(made), done.duplicates, len(new), tuple(refused))
    by_customer: dict[str, list[Event]] = {}
    refused = []
    for e in events:
        event = Event(e.name, min(e.at, now), e.properties, e.message_id)
        by_customer.setdefault(e.customer, []).append(event)
    laid = store.lay_histories(by_customer)
    # Silence brings memberships and timers up to date with the new past, and enters nobody.
    told: list[Arrival] = []
    if store.index.gathered:
        told += [Arrival(customer, now, body, None) for customer, body in _laid(store, laid)]
    told += [Arrival(customer, now, _LOOK_AGAIN, None) for customer in by_customer if customer not in new]
    store.ingest(told)
    ingest_once(store, [(c, Identified(profiles[c], silent=True)) for c in by_customer if c in new], now)
    return ImportCounts(len(events), 0, len(new), tuple(refused))


def _laid(store: Store, laid: Mapping[str, Sequence[Event]]) -> Iterator[tuple[str, Body]]:
    """What computed attributes and scores have to hear of what joined the past."""
    for customer, events in laid.items():
        heard = [(event, store.index.hearers(event.name)) for event in events]
        counting = tuple(event for event, hearers in heard if hearers.accumulators or hearers.scores)
        if counting:
            yield customer, HistoryLaid(counting)


def import_customers_once(
    store: Store, customers: Sequence[tuple[int, str, Mapping[str, Any]]], now: datetime, trigger: bool = False
) -> ImportCounts:
    """Write one batch of (row, customer, traits). An opt-out that we know outlasts any consent that a table claims,
    unless that is newer and shown to be the person's own (see orchestrator.core.consent).

    In silence: no attribute or segment trigger enters anybody; with `trigger` the traits arrive like any others.
    """
    items: list[tuple[str, Body]] = []
    kept_out: list[tuple[int, str]] = []
    known = store.known_customers({customer for _, customer, _ in customers})
    choosing = {customer for _, customer, traits in customers if traits.get("consents") and customer in known}
    profiles = store.profiles_of(choosing) if choosing else {}
    created = len({customer for _, customer, _ in customers if customer not in known})
    for row, customer, traits in customers:
        silent = not trigger or customer not in known
        if customer in profiles and traits.get("consents"):
            kept_out += [(row, why) for why in _outlasted(traits, profiles[customer])]
            traits = {**traits, "consents": _as_imported(traits["consents"])}
        items.append((customer, Identified(traits, silent=silent)))
    done = ingest_once(store, items, now)
    refused = tuple((customers[place][0], why) for place, why in done.refused)
    return ImportCounts(len(items) - len(refused), done.duplicates, created, refused, tuple(kept_out))


def _as_imported(consents: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same where `trigger` lets the traits arrive like any others: that they are imported is said."""
    return {
        topic: {
            channel: {"source": "import", **(said if isinstance(said, Mapping) else {"state": said})}
            for channel, said in channels.items()
        }
        for topic, channels in consents.items()
    }


def _outlasted(traits: Mapping[str, Any], customer: Customer) -> Iterator[str]:
    """Why choices of a table change nothing, one sentence for each: the turn that takes them refuses them, and says so
    in the ledger."""
    for choice in choices_in(traits, silent=True):
        place = (choice.topic, choice.channel)
        if choice.state == "in" and customer.consents.get(place) == "out":
            out_at = customer.consent_dates.get(place)
            if not reopens(choice, out_at, relayed=True):
                since = f" on {out_at:%Y-%m-%d}" if out_at is not None else ""
                yield (
                    f"'{customer.id}' opted out of {choice.topic} by {choice.channel}{since}: a table does not lift "
                    "that (a later choice of the person's own does, given with `at`, `source` and `proof`)"
                )
