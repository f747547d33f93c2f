"""What an export says of each kind of row: its columns and their types, what time bounds, and what a redacted one
leaves out. docs/import-export.md lists the columns: whoever loads them into a warehouse depends on them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from orchestrator.core.expression.nearest import nearest
from orchestrator.core.plus_addresses import unmarked
from orchestrator.core.suppression import HASHED, hashed_entry
from orchestrator.definitions.table_writers import Columns, Kind, Row
from orchestrator.errors import UsageError
from orchestrator.stores.protocol import Store
from orchestrator.stores.protocol_exports import ExportPage
from orchestrator.stores.sealed_rows import TOLD

if TYPE_CHECKING:
    from orchestrator.core.project import Project

Exported = Literal["customers", "events", "consents", "codes", "messages", "journal", "suppressions"]
COLUMNS: Final[Mapping[Exported, Columns]] = {
    "customers": {
        "id": "text", "created_at": "instant", "email": "text", "phone": "text", "timezone": "text", "locale": "text",
        "country": "text", "currency": "text", "stage": "text", "tags": "list", "consents": "json",
        "attributes": "json",
    },
    "events": {"at": "instant", "customer": "text", "event": "text", "id": "text", "properties": "json"},
    "consents": {
        "customer": "text", "topic": "text", "channel": "text", "state": "text", "at": "instant", "source": "text",
        "wording": "text", "proof": "json", "expires_at": "instant",
    },
    "codes": {"offer": "text", "code": "text", "status": "text"},
    "messages": {
        "id": "text", "at": "instant", "customer": "text", "journey": "text", "version": "text", "key": "text",
        "step": "text", "visit": "integer", "channel": "text", "topic": "text", "class": "text", "template": "text",
        "locale": "text", "to": "text", "subject": "text", "status": "text", "opened_at": "instant",
        "clicked_at": "instant", "coupon": "text",
    },
    "journal": {
        "id": "text", "at": "instant", "customer": "text", "type": "text", "journey": "text", "version": "text",
        "key": "text", "step": "text", "enrollment": "text", "data": "json",
    },
    "suppressions": {"channel": "text", "address": "text", "cause": "text", "at": "instant"},
}  # fmt: skip
"""The columns of each kind, in their order."""
EXTRA: Final[Mapping[Exported, Columns]] = {"customers": {"segments": "list"}}
"""What has to be asked for by name: an import makes nothing of it."""
INSTANT: Final[Mapping[Exported, str]] = {
    "customers": "created_at", "events": "at", "consents": "at", "messages": "at", "journal": "at",
    "suppressions": "at",
}  # fmt: skip
"""The column that --since and --until bound."""
PAGE: Final = 2_000
"""Rows of a page."""


class Asked(NamedTuple):
    """What is to be exported. `columns` empty: those of COLUMNS; `until` is excluded."""

    kind: Exported
    columns: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    redact: bool = False


def columns_of(asked: Asked) -> dict[str, Kind]:
    """The columns of an export, in their order. A name with a point is a value in an object: `attributes.country`.
    Raises UsageError for one that there is not."""
    known = {**COLUMNS[asked.kind], **EXTRA.get(asked.kind, {})}
    if not asked.columns:
        return dict(COLUMNS[asked.kind])
    chosen: dict[str, Kind] = {}
    for name in asked.columns:
        outer, point, inner = name.partition(".")
        if point and inner and known.get(outer) == "json":
            chosen[name] = "text"
        elif name in known:
            chosen[name] = known[name]
        else:
            near = nearest(name, known)
            raise UsageError(
                f"{asked.kind} have no column '{name}'; "
                + (f"did you mean {near}?" if near else f"there are {', '.join(known)}"),
                "unknown_column",
            )
    return chosen


def pages(store: Store, project: Project, asked: Asked, after: str = "") -> Iterator[tuple[list[Row], str, float]]:
    """(rows, where the next page begins, share of the whole) of each page, from `after` on; the last place is "-"."""
    shape = shaper(store, project, asked)
    while after != "-":
        page = _suppressed_page(store, after) if asked.kind == "suppressions" else _page(store, asked, after)
        after = page.upto if page.upto is not None else "-"
        yield [made for row in page.rows if (made := shape(row)) is not None], after, page.share


def _page(store: Store, asked: Asked, after: str) -> ExportPage:
    assert asked.kind != "suppressions"
    return store.export_page(asked.kind, after, PAGE)


def _suppressed_page(store: Store, after: str) -> ExportPage:
    place = tuple(after.split("\x1f")) if after else ("", "", "")
    found = store.suppressed((place[0], place[1], place[2]), PAGE)
    upto = "\x1f".join(found[-1][:3]) if len(found) == PAGE else None
    return ExportPage([entry._asdict() for entry in found], upto, 0.0 if upto else 1.0)


def shaper(store: Store, project: Project, asked: Asked) -> Callable[[Row], Row | None]:
    """What an export makes of a row; None: it is left out."""
    at_column = INSTANT.get(asked.kind)
    if at_column is None and (asked.since is not None or asked.until is not None):
        raise UsageError(f"{asked.kind} have no instants; leave --since and --until out", "no_instants")
    dotted = [(name, *name.split(".", 1)) for name in asked.columns if "." in name]
    redact = Redaction(store.salt, project) if asked.redact else None

    def shape(row: Row) -> Row | None:
        if at_column is not None and (asked.since is not None or asked.until is not None):
            at = row.get(at_column)
            if at is None or (asked.since and at < asked.since) or (asked.until and at >= asked.until):
                return None
        if redact is not None:
            row = redact.row(asked.kind, row)
        if dotted:
            row = {**row, **{name: _inside(row.get(outer), inner) for name, outer, inner in dotted}}
        return row

    return shape


def _inside(value: Any, path: str) -> Any:
    for name in path.split("."):
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


class Redaction:
    """Rows of which nobody can be told: ids become hashes under the installation's own salt (the same in every export
    of it), addresses go, and of what brands add only what schema.yaml declares and does not call personal stays."""

    def __init__(self, salt: str, project: Project) -> None:
        self._key = blake2b(salt.encode(), digest_size=32).digest()
        self._salt = salt
        self._attributes = project.attributes.keys() - project.personal
        self._properties = {
            name: {key for key in spec.properties if key not in project.personal}
            for name, spec in project.events.items()
        }

    def row(self, kind: Exported, row: Row) -> Row:
        """The row without its person."""
        made = dict(row)
        if kind == "suppressions":
            channel = str(row["channel"])
            made["cause"] = unmarked(row["cause"])
            if not channel.startswith(HASHED):
                made["channel"], made["address"] = hashed_entry(self._salt, channel, row["address"])
            return made
        # Ids of enrollments and messages are hashes without a key: whoever guesses a customer's id could tell them.
        ids = {"customers": ("id",), "messages": ("id", "customer"), "journal": ("customer", "enrollment")}
        for name in ids.get(kind, ("customer",)):
            if made.get(name):
                made[name] = self._hash(str(made[name]))
        for name in ("email", "phone", "to", "subject", "key", "wording", "proof", "tags", "coupon"):
            if name in made:
                made[name] = None
        if kind == "customers":
            made["attributes"] = _only(row["attributes"], self._attributes)
        elif kind == "events":
            made["properties"] = _only(row["properties"], self._properties.get(row["event"], set()))
            made["id"] = self._hash(str(row["id"])) if row.get("id") else None
        elif kind == "journal":
            made["data"] = _only(row["data"], TOLD)
        return made

    def _hash(self, text: str) -> str:
        return "r-" + blake2b(text.encode("utf-8", "surrogatepass"), key=self._key, digest_size=16).hexdigest()


def _only(values: Mapping[str, Any], names: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name in names}
