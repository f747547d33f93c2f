"""Imports of many customers at once, exports by pages, and followers of the journal, in memory."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from orchestrator.core.customer import Customer
from orchestrator.core.inbox import Event
from orchestrator.core.transition import Transition
from orchestrator.core.view import LoadedMessage
from orchestrator.stores.export_rows import Row, choice_row, customer_row, line_row, message_row
from orchestrator.stores.instants import micros_or_none
from orchestrator.stores.memory_pools import MemoryPools
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.stores.protocol_exports import ExportKind, ExportPage, Feed, FeedLetter, FeedLine, FeedPage


class MemoryExports:
    """A part of the memory store, which has its records."""

    _records: dict[str, CustomerRecord]
    _past: list[Transition] | None
    _journal: list[Transition]
    _pools: MemoryPools
    _nobodys: list[LoadedMessage]
    lay_history: Any
    resolve: Any

    def __init__(self) -> None:
        super().__init__()
        self._feeds: dict[str, Feed] = {}
        self._letters: dict[tuple[str, str], FeedLetter] = {}

    def known_customers(self, ids: Collection[str]) -> frozenset[str]:
        """Those that have a record."""
        return frozenset(id for id in ids if self.resolve(id) is not None)

    def profiles_of(self, ids: Collection[str]) -> Mapping[str, Customer]:
        """With their consents."""
        return {id: self._records[whose].customer for id in ids if (whose := self.resolve(id)) is not None}

    def lay_histories(self, pasts: Mapping[str, Sequence[Event]]) -> Mapping[str, Sequence[Event]]:
        """One after another. An id that stands there already, at the same instant, is not joined again."""
        laid: dict[str, Sequence[Event]] = {}
        for customer, events in pasts.items():
            record = self._records.get(self.resolve(customer) or customer)
            fresh: dict[Any, Event] = {}
            for n, event in enumerate(events):
                known = record.history.by_name.get(event.name, ()) if record is not None and event.id else ()
                if not any(past.id == event.id and past.at == event.at for past in known):
                    fresh.setdefault((event.name, event.at, event.id or n), event)
            self.lay_history(customer, list(fresh.values()))
            laid[customer] = list(fresh.values())
        return laid

    def export_page(self, kind: ExportKind, after: str, limit: int) -> ExportPage:
        """In the order of ids. Keys are counted."""
        rows = list(self._rows(kind))
        begin = int(after or 0)
        page = rows[begin : begin + limit]
        end = begin + len(page)
        return ExportPage(page, str(end) if end < len(rows) else None, end / len(rows) if rows else 1.0)

    def _rows(self, kind: ExportKind) -> Iterable[Row]:
        if kind == "codes":
            return [
                {"offer": offer, "code": code, "status": "given" if given else "free"}
                for offer, code, given in self._pools.all_codes()
            ]
        if kind == "journal":
            return [line_row(str(n), line) for n, line in enumerate(self._lines())]
        rows: list[Row] = []
        for id in sorted(self._records):
            record = self._records[id]
            c = record.customer
            if kind == "customers":
                rows.append(customer_row(c))
            elif kind == "messages":
                rows += [message_row(message) for message in record.messages]
            elif kind == "consents":
                said = {(choice.topic, choice.channel): choice for choice in record.choices if choice.refused is None}
                rows += [
                    choice_row(id, *place, state, micros_or_none(c.consent_dates.get(place)), said.get(place))
                    for place, state in c.consents.items()
                ]
            else:
                rows += [
                    {"at": past.at, "customer": id, "event": name, "id": past.id or None, "properties": past.properties}
                    for name in sorted(record.history.by_name)
                    for past in record.history.by_name[name]
                ]
        if kind == "messages":
            rows += [message_row(message) for message in self._nobodys]
        return rows

    def _lines(self) -> list[Transition]:
        """The journal, as far as this store keeps one."""
        return [*(self._past or ()), *self._journal] if self._past is not None else self._journal

    def journal_after(self, position: str, limit: int) -> FeedPage:
        """A position counts lines."""
        begin = int(position or 0)
        page = self._lines()[begin : begin + limit]
        return FeedPage(
            [FeedLine(str(n), line) for n, line in enumerate(page, begin)],
            str(begin + len(page)) if page else position,
        )

    def journal_end(self) -> str:
        """How many there are."""
        return str(len(self._lines()))

    def journal_lines(self, ids: Collection[str]) -> Mapping[str, Transition]:
        """Lines by their number."""
        lines = self._lines()
        return {id: lines[int(id)] for id in ids if int(id) < len(lines)}

    def feed(self, name: str) -> Feed | None:
        """Where a follower stands."""
        return self._feeds.get(name)

    def keep_feed(self, feed: Feed, since: Feed | None, letters: Sequence[FeedLetter] = ()) -> bool:
        """Where it stands now."""
        known = self._feeds.get(feed.name)
        if (known is None) != (since is None):
            return False
        if known is not None and since is not None and known[:4] != since[:4]:
            return False
        self._feeds[feed.name] = feed._replace(reason=feed.reason[:500])
        for letter in letters:
            self._letters.setdefault((letter.feed, letter.id), letter._replace(reason=letter.reason[:500]))
        return True

    def feeds(self, prefix: str) -> Sequence[Feed]:
        """In the order of their names."""
        return [self._feeds[name] for name in sorted(self._feeds) if name.startswith(prefix)]

    def letters(self, feed: str, limit: int, after: str = "") -> Sequence[FeedLetter]:
        """In the order of ids."""
        mine = [letter for (name, _), letter in self._letters.items() if name == feed]
        found = sorted((letter for letter in mine if int(letter.id) > int(after or -1)), key=lambda one: int(one.id))
        return found[:limit]

    def letters_left(self, feed: str) -> int:
        """How many there are."""
        return sum(name == feed for name, _ in self._letters)

    def drop_letters(self, feed: str, ids: Collection[str]) -> None:
        """They are settled."""
        for id in ids:
            self._letters.pop((feed, id), None)
