"""What people asked not to have any more, as a file outside of the database, and done again in a restored one.

One JSON object a line, in the order in which the database wrote it down: `opted_out` and `opted_in` (of what was opted
out) with customer, topic and channel; `suppressed` with channel, address and cause; `erased` with a customer, by the
hash of the id (tools that erase people elsewhere may write the id itself); `current`, which says that the file held
everything at that instant.

Lines may come twice, and those of transactions that ran at once in another order than their ids: what counts is the
last word about each choice, and an opt-out that is done again does no harm.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from orchestrator.core.inbox import ConsentChanged
from orchestrator.core.suppression import HASHED, hashed_entry
from orchestrator.core.time.iso import format_instant
from orchestrator.errors import UsageError
from orchestrator.runtime.plus_addresses import kept_apart
from orchestrator.stores.erasure_certificates import ERASED, hash_of
from orchestrator.stores.protocol import Arrival, Right, Store

PAGE: Final = 5_000
"""Rows that are read at once, and opt-outs that are done again in one transaction."""
OVERLAP: Final = timedelta(minutes=10)
"""Real time that every look goes back: far longer than any transaction that writes a right may last."""
CURRENT_EVERY: Final = timedelta(minutes=1)
OLDEST: Final = datetime.min.replace(tzinfo=UTC)
_KINDS: Final = {
    "opted_out": ("customer", "topic", "channel"),
    "opted_in": ("customer", "topic", "channel"),
    "suppressed": ("channel", "address", "cause"),
    "erased": ("customer",),
    "current": (),
}


def rights_since(store: Store, since: datetime | None) -> Iterator[Right]:
    """Everything from an instant on (None: from the beginning), page by page. Raises StoreBusy."""
    after = 0
    while page := store.rights(since, after, PAGE):
        yield from page
        after = page[-1].id


def line_of(right: Right) -> str:
    """A right as a line, without its end."""
    said = {"at": format_instant(right.at), "right": right.kind, "id": right.id}
    said |= {name: getattr(right, name) for name in _KINDS[right.kind]}
    return json.dumps(said, ensure_ascii=False)


class RightsFile:
    """A file that is only ever added to. Each addition is on the disk when `add_once` returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known: dict[str, datetime] = {}
        """The lines of the last while, so that none is written twice."""
        self._upto: datetime | None = None
        self._current_at: datetime | None = None
        self._look_back()
        self._file = path.open("ab")

    def add_once(self, store: Store, real_at: datetime) -> int:
        """Add what the database has and the file has not. Returns how many lines. Raises StoreBusy, OSError."""
        since = None if self._upto is None else self._upto - OVERLAP
        fresh = []
        for right in rights_since(store, since):
            line = line_of(right)
            if line not in self._known:
                self._known[line] = right.at
                fresh.append(line)
                self._upto = right.at if self._upto is None else max(self._upto, right.at)
        lines = list(fresh)
        if fresh or self._current_at is None or real_at - self._current_at >= CURRENT_EVERY:
            self._current_at = real_at
            lines.append(json.dumps({"at": format_instant(real_at), "right": "current"}))
        if lines:
            self._file.write("".join(line + "\n" for line in lines).encode())
            self._file.flush()
            os.fsync(self._file.fileno())
        if self._upto is not None:
            oldest = self._upto - 2 * OVERLAP
            self._known = {line: at for line, at in self._known.items() if at >= oldest}
        return len(fresh)

    def __enter__(self) -> RightsFile:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def _look_back(self) -> None:
        """Where an earlier run ended. What it wrote of a line that it did not finish goes."""
        if not self._path.exists():
            return
        whole = 0
        with self._path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                if not raw.endswith(b"\n"):
                    break
                whole += len(raw)
                said = _read(raw.decode(), f"{self._path}:{number}")
                if said["right"] != "current":
                    at = instant_of(said["at"], f"{self._path}:{number}")
                    self._upto = at if self._upto is None else max(self._upto, at)
                    self._known[raw.decode().rstrip("\n")] = at
        os.truncate(self._path, whole)
        if self._upto is not None:
            oldest = self._upto - 2 * OVERLAP
            self._known = {line: at for line, at in self._known.items() if at >= oldest}


class Replayed(NamedTuple):
    """What a replay did. `opted_out`: choices that are closed now; `erased`: people who were erased, of whom `again`
    had come back with the backup; `current_at`: until when the file is known to be whole."""

    lines: int = 0
    opted_out: int = 0
    suppressed: int = 0
    erased: int = 0
    again: int = 0
    current_at: str | None = None


def replay_rights(
    store: Store,
    lines: Iterable[str],
    name: str,
    now: datetime,
    since: datetime | None,
    real_at: datetime | None = None,
    actor: str = "rights replay",
) -> Replayed:
    """Do everything again that lines of a file say (from an instant on). Nothing is ever opened by it, and whoever came
    only after an erasure is left alone. Of what somebody chose before it, nothing is done again.

    `now` is journey time; `real_at` the actual instant (default `now`), for the certificates of those who are erased
    again. What is deployed has to be known to the store. A last line that is not whole is left out; raises UsageError
    for any other that cannot be read, before anything is done.
    """
    last: dict[tuple[str, str, str], tuple[str, datetime]] = {}
    suppressed: dict[tuple[str, str, str], None] = {}
    erased: dict[str, datetime] = {}
    count, current_at = 0, None
    for place, said in _said(lines, name):
        at = instant_of(said["at"], place)
        if since is not None and at < since:
            continue
        kind = said["right"]
        count += kind != "current"
        match kind:
            case "current":
                current_at = str(said["at"])
            case "suppressed":
                suppressed[said["channel"], said["address"], said["cause"]] = None
            case "erased":
                hash = _hash_of(store, said["customer"])
                erased[hash] = max(at, erased.get(hash, at))
            case _ if not _is_hashed(said["customer"]):  # else it was nobody's any more
                last[said["customer"], said["topic"], said["channel"]] = kind, at
    outs = [
        choice
        for choice, (kind, at) in last.items()
        if kind == "opted_out" and not (erased and at <= erased.get(_hash_of(store, choice[0]), OLDEST))
    ]
    entries = _entries(store, suppressed)
    for begin in range(0, len(outs), PAGE):
        store.ingest([
            Arrival(customer, now, ConsentChanged(topic, channel, "out"))
            for customer, topic, channel in outs[begin : begin + PAGE]
        ])  # fmt: skip
    for begin in range(0, len(entries), PAGE):
        store.suppress(entries[begin : begin + PAGE], now)
    # Last, because an opt-out of somebody who is not there makes a row of its own.
    found = store.erased(erased, now, real_at or now) if erased else {}
    for customer in found.values():
        store.erase(customer, now, real_at or now, actor, kept_apart(store))
    return Replayed(count, len(outs), len(entries), len(erased), len(found), current_at)


_is_hashed: Final = re.compile(rf"{ERASED}[0-9a-f]{{32}}").fullmatch


def _hash_of(store: Store, customer: str) -> str:
    return customer.removeprefix(ERASED) if _is_hashed(customer) else hash_of(store.salt, customer)


def _entries(store: Store, suppressed: Iterable[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """Entries of the suppression list, those hashed that became so when their person was erased."""
    hidden = {(channel, address) for channel, address, _ in suppressed if channel.startswith(HASHED)}
    entries: dict[tuple[str, str, str], None] = {}
    for channel, address, cause in suppressed:
        place = hashed_entry(store.salt, channel, address) if hidden else None
        entries[(*place, cause) if place in hidden else (channel, address, cause)] = None
    return list(entries)


def instant_of(text: Any, place: str) -> datetime:
    """An instant with a zone. Raises UsageError."""
    try:
        at = datetime.fromisoformat(str(text))
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise UsageError(
            f"{place}: found '{text}'; expected an instant with a zone, such as 2026-03-01T10:00:00Z", "bad_instant"
        )
    return at


def _said(lines: Iterable[str], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    held: tuple[str, str] | None = None
    for number, line in enumerate(lines, 1):
        if held is not None:
            yield held[0], _read(held[1], held[0])
        held = f"{name}:{number}", line
    if held is not None and held[1].endswith("\n"):  # else whoever wrote it was interrupted
        yield held[0], _read(held[1], held[0])


def _read(line: str, place: str) -> Mapping[str, Any]:
    try:
        said = json.loads(line)
    except ValueError:
        said = None
    if not isinstance(said, dict) or said.get("right") not in _KINDS or "at" not in said:
        raise UsageError(
            f"{place}: this is no line of a rights file; expected an object with `at` and `right` "
            f"({', '.join(_KINDS)})",
            "bad_rights",
        )
    missing = [field for field in _KINDS[said["right"]] if not isinstance(said.get(field), str)]
    if missing:
        raise UsageError(f"{place}: `{said['right']}` lacks {', '.join(missing)}", "bad_rights")
    return said
