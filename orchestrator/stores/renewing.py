"""What each table keeps sealed, and its rows as they would be written now; see orchestrator.stores.rotating."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

from orchestrator.core.state import dumps, loads
from orchestrator.stores import sealed_rows
from orchestrator.stores.sealed_rows import HIDDEN, TOLD
from orchestrator.stores.sealing import SEALED, KeyRing

Row = tuple[Any, ...]
Renew = Callable[[KeyRing, frozenset[str], Row], Mapping[str, Any] | None]
"""The new values of columns by their names; None: the row is as it would be written now. Raises Unopened."""


class Table(NamedTuple):
    """A table with sealed columns: `renew` takes a row of `key` and `columns`. `only`: which rows may hold any.
    `found_by_value`: a part of the key is a mark, so that two rows may become one."""

    name: str
    key: tuple[str, ...]
    columns: tuple[str, ...]
    renew: Renew
    only: str = ""
    found_by_value: bool = False


def _is_new(ring: KeyRing, text: str) -> bool:
    return text.startswith(ring.begin) if ring.seals else not text.startswith(SEALED)


def _whole(column: str, context: str, owner: int, place: int) -> Renew:
    """Of a column that is sealed as a whole. `owner`, `place`: where the row's name and the text stand in the row."""

    def renew(ring: KeyRing, personal: frozenset[str], row: Row) -> Mapping[str, Any] | None:
        text = row[place]
        if text is None or _is_new(ring, text):
            return None
        name = f"{context}:{row[owner]}" if owner >= 0 else context
        return {column: ring.seal(name, ring.open(name, text))}

    return renew


def _both(*parts: Renew) -> Renew:
    def renew(ring: KeyRing, personal: frozenset[str], row: Row) -> Mapping[str, Any] | None:
        found: dict[str, Any] = {}
        for part in parts:
            found.update(part(ring, personal, row) or {})
        return found or None

    return renew


def _part_is_new(ring: KeyRing, values: Mapping[str, Any], personal: Callable[[str], bool]) -> bool:
    """Whether of a JSON object all that is personal, and nothing else, is hidden as it would be now."""
    token = values.get(HIDDEN)
    sealed = type(token) is str and token.startswith(SEALED)
    if not ring.seals:
        return not sealed
    if any(value is not None and personal(name) for name, value in values.items() if name != HIDDEN):
        return False
    return not sealed or str(token).startswith(ring.begin)


def _state(ring: KeyRing, personal: frozenset[str], row: Row) -> Mapping[str, Any] | None:
    external, text = row[2], row[3]
    values = loads(text)
    attributes, email, phone = values[:3]
    if _part_is_new(ring, attributes, personal.__contains__) and (not ring.seals or (email is None and phone is None)):
        return None
    context = f"{sealed_rows.STATE}:{external}"
    token = attributes.get(HIDDEN)
    if type(token) is str and token.startswith(SEALED):
        hidden, email, phone = loads(ring.open(context, token))
        del attributes[HIDDEN]
        attributes.update(hidden)
    hidden = sealed_rows.hidden_part(attributes, personal)
    if ring.seals and (hidden or email is not None or phone is not None):
        token = ring.seal(context, dumps((hidden, email, phone)))
        attributes, email, phone = sealed_rows.without(attributes, hidden, token), None, None
    return {"state": dumps([attributes, email, phone, *values[3:]])}


def _event(ring: KeyRing, personal: frozenset[str], row: Row) -> Mapping[str, Any] | None:
    owner, text = row[1], row[5]
    values = loads(text)
    if _part_is_new(ring, values, personal.__contains__):
        return None
    values = sealed_rows.opened(ring, f"{sealed_rows.EVENT}:{owner}", values)
    return {"properties": sealed_rows.event_properties(ring, owner, values, personal)}


def _line(ring: KeyRing, personal: frozenset[str], row: Row) -> Mapping[str, Any] | None:
    owner, text = row[1], row[5]
    values = loads(text)
    if _part_is_new(ring, values, lambda name: name not in TOLD):
        return None
    values = sealed_rows.opened(ring, f"{sealed_rows.LINE}:{owner}", values)
    return {"data": sealed_rows.line_data(ring, owner, values)}


def _message(ring: KeyRing, personal: frozenset[str], row: Row) -> Mapping[str, Any] | None:
    id, address, text = row[2:5]
    if _is_new(ring, text) and (not ring.seals or address == "" or address.startswith(SEALED)):
        return None
    context = f"{sealed_rows.MESSAGE}:{id}"
    to = ring.unmark(address)
    if text.startswith(SEALED):
        to, _, text = ring.open(context, text).rpartition("\n")
    if not ring.seals:
        return {"address": to, "row": text}
    return {"address": ring.mark(to), "row": ring.seal(context, f"{to}\n{text}")}


def _marked(column: str, place: int, prefix: str = "") -> Renew:
    def renew(ring: KeyRing, personal: frozenset[str], row: Row) -> Mapping[str, Any] | None:
        text = row[place]
        if text is None:
            return None
        value = text[len(prefix) :]
        new = ring.mark(ring.unmark(value)) if ring.seals and not value.startswith("~#") else ring.unmark(value)
        return None if new == value else {column: prefix + new}

    return renew


_MINE: Final = ("shard", "customer")
TABLES: Final = (
    Table(
        "customers",
        ("shard", "id"),
        ("external_id", "state", "parked_detail"),
        _both(_state, _whole("parked_detail", sealed_rows.DETAIL, 1, 4)),
    ),
    Table("inbox", ("seq",), ("customer", "body"), _whole("body", sealed_rows.INBOX, 1, 2)),
    Table("events", (*_MINE, "name", "at", "seq"), ("properties",), _event),
    Table(
        "refused",
        ("id",),
        ("reason", "content"),
        _both(_whole("reason", sealed_rows.REASON, -1, 1), _whole("content", sealed_rows.CONTENT, -1, 2)),
    ),
    Table(
        "violations",
        ("source", "event", "property", "kind"),
        ("examples",),
        _whole("examples", sealed_rows.EXAMPLES, -1, 4),
    ),
    Table("answers", ("caller", "key"), ("body",), _whole("body", sealed_rows.ANSWER, -1, 2)),
    Table("enrollments", (*_MINE, "id"), ("state",), _whole("state", sealed_rows.ENROLLMENT, 2, 3)),
    Table(
        "transitions",
        (*_MINE, "at", "seq", "n"),
        ("data", "details"),
        _both(_line, _whole("details", sealed_rows.DETAILS, 1, 6)),
    ),
    Table("messages", (*_MINE, "id"), ("address", "row"), _message),
    Table("dead_letters", ("seq",), ("id", "reason"), _whole("reason", sealed_rows.END, 1, 2)),
    Table("requests", ("seq",), ("id", "row"), _whole("row", sealed_rows.REQUEST, 1, 2)),
    Table("tasks", (*_MINE, "id"), ("row",), _whole("row", sealed_rows.TASK, 1, 3)),
    Table("consent_log", (*_MINE, "seq"), ("proof",), _whole("proof", sealed_rows.PROOF, 1, 3)),
    Table("merges", (*_MINE, "id"), ("snapshot",), _whole("snapshot", sealed_rows.MERGE, 2, 3)),
    Table("groups", ("id",), ("traits",), _whole("traits", sealed_rows.GROUP, 0, 1)),
    Table("rights", ("id",), ("address",), _marked("address", 1), "address IS NOT NULL"),
    Table("suppressions", ("channel", "address", "cause"), (), _marked("address", 1), found_by_value=True),
    Table(
        "identifiers",
        ("kind", "value"),
        (),
        _marked("value", 1),
        "kind NOT IN ('external', 'anonymous')",
        found_by_value=True,
    ),
    Table(
        "tallies", ("name",), (), _marked("name", 0, "soft:"), "name >= 'soft:' AND name < 'soft;'", found_by_value=True
    ),
)
"""Every table with sealed columns, but for `replies`: a cache, which is emptied instead."""
