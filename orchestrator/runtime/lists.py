"""Lists that are uploaded, and tables that are uploaded to journeys: through the inbox, as everything
that a turn has to decide about."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.identity import stable_hash
from orchestrator.core.inbox import ListChanged, RowUploaded
from orchestrator.core.project import Project
from orchestrator.errors import UsageError
from orchestrator.runtime.ingest import Told, ingest_once
from orchestrator.stores.protocol import Store

AT_ONCE: Final = 1_000


class ListCounts(NamedTuple):
    """What a change of a list, or an upload, did. `refused`: (place, reason)."""

    taken: int = 0
    duplicates: int = 0
    created: int = 0
    refused: tuple[tuple[int, str], ...] = ()


def check_list(project: Project, name: str) -> None:
    """Raises UsageError where a name is none of a list that is uploaded."""
    found = next((segment for segment in project.segments if segment.name == name), None)
    if found is not None and found.listed:
        return
    if found is not None:
        message = f"the segment '{name}' has a condition, which decides who is in it; a list has `list: true` instead"
        raise UsageError(message, "no_list")
    lists = [segment.name for segment in project.segments if segment.listed]
    hint = did_you_mean(name, lists) or f"write `{name}: {{list: true}}` in journeys/segments.yaml, and deploy"
    raise UsageError(f"there is no list '{name}'; {hint}", "unknown_list")


def check_replaced(store: Store, name: str) -> None:
    """Raises UsageError where nobody can tell yet who is on a list, and so who has to leave it."""
    if any(build.segment == name and not build.usable for build in store.segment_builds()):
        message = f"who is on '{name}' is still worked out after a deploy; run `orchestrator segments build` first"
        raise UsageError(message, "list_not_ready")


def check_upload(store: Store, name: str) -> None:
    """Raises UsageError where no journey of the live project waits for this upload."""
    known = store.index.by_upload
    if name not in known:
        hint = did_you_mean(name, known) or f"a journey that says `enter: {{upload: {name}}}` would take it"
        raise UsageError(f"no journey waits for an upload '{name}'; {hint}", "unknown_upload")


def change_list_once(store: Store, name: str, customers: Sequence[str], member: bool, now: datetime) -> ListCounts:
    """Put customers on a list, or take them off. Unknown ones are created where they are put on it, and passed over
    where they are taken off."""
    known = {customer for customer in customers if store.card(customer) is not None}
    places = [place for place, customer in enumerate(customers) if member or customer in known]
    done = ingest_once(store, [Told(customers[place], ListChanged(name, member)) for place in places], now)
    created = len(set(customers) - known) if member else 0
    refused = tuple((places[place], why) for place, why in done.refused)
    return ListCounts(len(places) - len(refused), len(customers) - len(places), created, refused)


def leave_others_once(store: Store, name: str, keep: Collection[int], now: datetime) -> int:
    """Take everybody off a list who has no id (by `mark_of`) among these, not even one that came with somebody who was
    merged into them. Returns how many."""
    gone = 0
    after: str | None = None
    while True:
        page, after = store.segment_members(name, after, AT_ONCE)
        others = [member.customer for member in page if mark_of(member.customer) not in keep]
        others = [one for one in others if not any(mark_of(each.value) in keep for each in store.identifiers(one))]
        if others:
            gone += change_list_once(store, name, others, False, now).taken
        if after is None:
            return gone


def mark_of(customer: str) -> int:
    """A number that stands for an id where millions are kept in mind."""
    return stable_hash(customer)


def upload_once(
    store: Store, name: str, rows: Iterable[tuple[str, Mapping[str, Any], str]], now: datetime
) -> ListCounts:
    """Give rows (customer, values, occurrence) to the journeys that wait for this upload. A row that came before is
    taken once."""
    told = [
        Told(customer, RowUploaded(name, values, occurrence), f"upload:{name}:{occurrence}")
        for customer, values, occurrence in rows
    ]
    unknown = {one.customer for one in told if store.card(one.customer) is None}
    done = ingest_once(store, told, now)
    return ListCounts(done.accepted, done.duplicates, len(unknown), tuple(done.refused))
