"""Catalogs as rows in memory: the reference of orchestrator.stores.protocol_catalogs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestrator.core.catalog_changes import Wave, listens, waves_of
from orchestrator.core.catalogs import Interest, RowCatalog, values_at
from orchestrator.core.expression.scope import PastEvent
from orchestrator.core.index import Index
from orchestrator.core.project import Project
from orchestrator.core.view import CatalogRows
from orchestrator.stores.catalog_links import LEAST, MOST_OF_ONE, POPULAR, RANKS, popular_links
from orchestrator.stores.catalog_rows import apply_edits
from orchestrator.stores.memory_record import CustomerRecord
from orchestrator.stores.protocol_catalogs import LINKED_EVERY, CatalogRow, Edit, Edited, Link


class _Catalog:
    """One catalog."""

    def __init__(self) -> None:
        self.version = 1
        self.rows: dict[str, CatalogRow] = {}
        self.seen: dict[str, int] = {}
        self.linked: dict[tuple[str, str], tuple[str, ...]] = {}
        self.before: dict[str, tuple[datetime, Mapping[str, Any] | None]] = {}
        """Of rows that changed: when that is told, and how each was before."""

    def links(self, kind: str, about: str) -> Sequence[str]:
        """What goes with an item, or with all."""
        return self.linked.get((kind, about), ())

    def get(self, key: str) -> dict[str, Any] | None:
        """The row of a key, for turns."""
        row = self.rows.get(key)
        return None if row is None else dict(row.data)


class MemoryCatalogs:
    """A part of the memory store, which has its records."""

    _records: dict[str, CustomerRecord]
    _put: Any
    if TYPE_CHECKING:

        @property
        def index(self) -> Index:
            """The definitions last deployed."""

    def __init__(self) -> None:
        super().__init__()
        self._kept_catalogs: dict[str, _Catalog] = {}
        self._catalog_waves: list[tuple[Wave, str]] = []
        self._catalog_links: dict[tuple[str, str, str], list[Link]] = {}
        self._linked_at: datetime | None = None

    def catalog_version(self, catalog: str) -> int | None:
        """How often a catalog changed."""
        kept = self._kept_catalogs.get(catalog)
        return None if kept is None else kept.version

    def catalog_row(self, catalog: str, key: str) -> CatalogRow | None:
        """A row."""
        kept = self._kept_catalogs.get(catalog)
        return None if kept is None else kept.rows.get(key)

    def catalog_page(self, catalog: str, after: str, limit: int) -> Sequence[CatalogRow]:
        """Rows in the order of their keys."""
        kept = self._kept_catalogs.get(catalog)
        keys = sorted(key for key in kept.rows if key > after)[:limit] if kept is not None else []
        return [kept.rows[key] for key in keys] if kept is not None else []

    def change_catalog(self, catalog: str, edits: Sequence[Edit], now: datetime) -> Edited:
        """Change rows."""
        kept = self._kept_catalogs[catalog]
        kept.version += 1
        after, made = apply_edits(edits, kept.rows, kept.version)
        tell_after = listens(self.index, catalog)
        for key, data in after.items():
            known = kept.rows.get(key)
            kept.seen[key] = kept.version
            if data == (known.data if known is not None else None):
                continue
            if tell_after is not None:
                kept.before.setdefault(key, (now + tell_after, known.data if known is not None else None))
            if data is None:
                kept.rows.pop(key, None)
            else:
                kept.rows[key] = CatalogRow(key, dict(data), kept.version, now)
        return made

    def finish_catalog(self, catalog: str, version: int, now: datetime, limit: int) -> int:
        """Delete rows that a replacement left out."""
        kept = self._kept_catalogs[catalog]
        keys = sorted(key for key in kept.rows if kept.seen[key] <= version)[:limit]
        if keys:
            self.change_catalog(catalog, [Edit(key, None) for key in keys], now)
        return len(keys)

    def spread_catalogs(self, now: datetime, budget: int) -> int:
        """One step of telling changes."""
        done = self._hand_out(now)
        waiting = sum(len(record.inbox) for record in self._records.values()) if self._catalog_waves else 0
        while self._catalog_waves and waiting < budget and done < budget:
            wave, after = self._catalog_waves[0]
            room = budget - done
            told = sorted(id for id, record in self._records.items() if id > after and _concerns(wave, record))[:room]
            for id in told:
                self._put(self._records[id], wave.at, wave.body)
            if len(told) < room:
                del self._catalog_waves[0]
            else:
                self._catalog_waves[0] = (wave, told[-1])
            done += len(told) + 1
        return done

    def _hand_out(self, now: datetime) -> int:
        due = [
            (at, name, key, before)
            for name, kept in self._kept_catalogs.items()
            for key, (at, before) in kept.before.items()
            if at <= now
        ]
        for at, name, key, before in sorted(due, key=lambda one: one[:3]):
            del self._kept_catalogs[name].before[key]
            row = self._kept_catalogs[name].rows.get(key)
            after = row.data if row is not None else None
            self._catalog_waves += [(wave, "") for wave in waves_of(self.index, name, key, before, after, at)]
        return len(due)

    def next_catalog_at(self) -> datetime | None:
        """When the next change is due to be told."""
        instants = [wave.at for wave, _ in self._catalog_waves]
        instants += [at for kept in self._kept_catalogs.values() for at, _ in kept.before.values()]
        return min(instants, default=None)

    def link_catalogs(self, now: datetime, every: timedelta = LINKED_EVERY) -> int:
        """Work out links anew, all at once."""
        if self._linked_at is not None and now - self._linked_at <= every:
            return 0
        self._linked_at = now
        self._catalog_links = {}
        for name, rule in sorted(self.index.project.row_catalogs.items()):
            if rule.bought is not None:
                self._link_bought(name, self._told(rule.bought, now))
            liked = rule.viewed or rule.bought
            if liked is not None:
                self._link_popular(name, rule, self._told(liked, now))
        for kept in self._kept_catalogs.values():
            kept.linked = {}
        for (name, kind, about), links in self._catalog_links.items():
            if name in self._kept_catalogs:
                self._kept_catalogs[name].linked[kind, about] = tuple(link.item for link in links)
        return 1 + sum(map(len, self._catalog_links.values()))

    def _told(self, interest: Interest, now: datetime) -> dict[str, list[str]]:
        """The items of each customer, the latest first."""
        since = now - interest.within
        found = {}
        for id, record in self._records.items():
            last = _last(record.history.events(interest.event), interest.property)
            mine = sorted((value for value, at in last.items() if at >= since), key=lambda v: (-_stamp(last[v]), v))
            if mine:
                found[id] = mine
        return found

    def _link_bought(self, name: str, items: Mapping[str, list[str]]) -> None:
        counts: Counter[str] = Counter()
        pairs: Counter[tuple[str, str]] = Counter()
        for mine in items.values():
            few = mine[:MOST_OF_ONE]
            counts.update(mine)
            pairs.update((a, b) for a in few for b in few if a != b)
        scored: dict[str, list[Link]] = {}
        for (a, b), n in pairs.items():
            if n >= LEAST:
                scored.setdefault(a, []).append(Link(b, n * n / (counts[a] * counts[b])))
        for about, links in scored.items():
            best = sorted(links, key=lambda one: (-one.score, one.item))[:RANKS]
            self._catalog_links[name, "bought", about] = best

    def _link_popular(self, name: str, rule: RowCatalog, items: Mapping[str, list[str]]) -> None:
        counts = Counter(value for mine in items.values() for value in mine)
        best = sorted(counts.items(), key=lambda one: (-one[1], one[0]))[:POPULAR]
        rows = (
            {key: row.data for key, row in self._kept_catalogs[name].rows.items()}
            if name in self._kept_catalogs
            else {}
        )
        for about, _, item, score in popular_links(rule, [(key, float(n)) for key, n in best], rows):
            self._catalog_links.setdefault((name, "popular", about), []).append(Link(item, score))

    def catalog_links(self, catalog: str, kind: str, about: str) -> Sequence[Link]:
        """What goes with an item, or with all."""
        return self._catalog_links.get((catalog, kind, about), ())

    # --- what other parts of the store ask ---------------------------------------------------------------------------

    def _seed_catalogs(self, project: Project, now: datetime) -> None:
        for name in sorted(project.row_catalogs):
            if name not in self._kept_catalogs:
                kept = self._kept_catalogs[name] = _Catalog()
                rows = project.catalogs.get(name, {})
                kept.rows = {key: CatalogRow(key, dict(data), 1, now) for key, data in rows.items()}
                kept.seen = dict.fromkeys(rows, 1)

    def _catalogs(self) -> Mapping[str, CatalogRows]:
        names = self.index.project.row_catalogs
        return {name: self._kept_catalogs[name] for name in names if name in self._kept_catalogs} if names else {}


def _last(events: Iterable[PastEvent], path: str) -> dict[str, datetime]:
    """When each value was told last."""
    last: dict[str, datetime] = {}
    for event in events:
        for value in values_at(event.properties, path):
            if value not in last or event.at > last[value]:
                last[value] = event.at
    return last


def _stamp(at: datetime) -> float:
    return at.timestamp()


def _concerns(wave: Wave, record: CustomerRecord) -> bool:
    for (event, path, value), since in wave.asked:
        for past in record.history.events(event):
            if past.at >= since and value in values_at(past.properties, path):
                return True
    return False
