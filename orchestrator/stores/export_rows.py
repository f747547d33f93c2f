"""Rows of whole tables, page by page along their keys: what `export` writes. One text of SQL for both databases, as in
orchestrator.stores.erasing; a page is a statement (two, of consents), and holds nothing afterwards."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from orchestrator.core.state import dumps, loads
from orchestrator.core.transition import Transition
from orchestrator.stores.erasures import Run
from orchestrator.stores.instants import instant, instant_or_none
from orchestrator.stores.message_rows import loaded_message
from orchestrator.stores.protocol_exports import ExportKind, ExportPage
from orchestrator.stores.records import CHOICE, MESSAGE, choice_of, choices_of, customer_of
from orchestrator.stores.sealed_rows import DETAILS, EVENT, LINE, opened
from orchestrator.stores.sealing import Sealer
from orchestrator.stores.shards import SHARDS

Row = dict[str, Any]

_CUSTOMERS: Final = """
SELECT c.shard, c.id, c.external_id, c.created_at, c.state, k.state FROM customers AS c
LEFT JOIN consents AS k ON k.shard = c.shard AND k.customer = c.id
WHERE (c.shard, c.id) > (?, ?) ORDER BY c.shard, c.id LIMIT ?
"""
_EVENTS: Final = """
SELECT e.shard, e.customer, e.name, e.at, e.seq, e.id, e.properties, c.external_id
FROM events AS e JOIN customers AS c ON c.shard = e.shard AND c.id = e.customer
WHERE (e.shard, e.customer, e.name, e.at, e.seq) > (?, ?, ?, ?, ?)
ORDER BY e.shard, e.customer, e.name, e.at, e.seq LIMIT ?
"""
_CONSENTS: Final = """
SELECT k.shard, k.customer, c.external_id, k.state FROM consents AS k
JOIN customers AS c ON c.shard = k.shard AND c.id = k.customer
WHERE (k.shard, k.customer) > (?, ?) ORDER BY k.shard, k.customer LIMIT ?
"""
_LEDGER: Final = f"""
SELECT {CHOICE} FROM consent_log WHERE (shard, customer) > (?, ?) AND (shard, customer) <= (?, ?) AND refused IS NULL
ORDER BY shard, customer, seq
"""
_CODES: Final = "SELECT seq, offer, code, given FROM codes WHERE seq > ? ORDER BY seq LIMIT ?"
_MESSAGES: Final = f"""
SELECT m.shard, m.customer, m.status, m.opened_at, m.clicked_at, {MESSAGE} FROM messages AS m
WHERE (m.shard, m.customer, m.id) > (?, ?, ?) ORDER BY m.shard, m.customer, m.id LIMIT ?
"""
LINE_COLUMNS: Final = (
    "t.shard, t.customer, t.at, t.seq, t.n, t.type, t.journey, t.version, t.key, t.step, t.enrollment, t.data, "
    "t.details, c.external_id"
)
LINE_TABLES: Final = "transitions AS t LEFT JOIN customers AS c ON c.shard = t.shard AND c.id = t.customer"
"""What `line_in` takes, of everybody: lines about those who were erased are nobody's."""
_JOURNAL: Final = f"""
SELECT {LINE_COLUMNS} FROM {LINE_TABLES}
WHERE (t.shard, t.customer, t.at, t.seq, t.n) > (?, ?, ?, ?, ?)
ORDER BY t.shard, t.customer, t.at, t.seq, t.n LIMIT ?
"""


def export_page(run: Run, sealer: Sealer, kind: ExportKind, after: str, limit: int) -> ExportPage:
    """See ExportStore. Raises Unopened for what no key opens."""
    sql, first, keys, make = _KINDS[kind]
    key: Sequence[Any] = loads(after) if after else first
    found = run(sql, *key, limit).fetchall()
    if not found:
        return ExportPage((), None, 1.0)
    last = _key(found[-1], kind)[:keys]
    share = 1.0 if kind == "codes" else found[-1][0] / SHARDS
    rows = make(sealer, found) if kind != "consents" else _choices(run, sealer, key, found)
    return ExportPage(rows, dumps(last) if len(found) == limit else None, share)


def _key(row: Sequence[Any], kind: ExportKind) -> list[Any]:
    return [row[0], row[1], row[5]] if kind == "messages" else list(row)


def _customer_rows(sealer: Sealer, found: Sequence[Any]) -> list[Row]:
    rows = []
    for _, _, external, created_at, state, consents in found:
        c = customer_of(sealer, external, created_at, state, consents)
        rows.append(customer_row(c))
    return rows


def customer_row(c: Any) -> Row:
    """A customer's profile: `attributes` is an object, `consents` is {topic: {channel: state}}."""
    consents: dict[str, dict[str, str]] = {}
    for (topic, channel), state in c.consents.items():
        consents.setdefault(topic, {})[channel] = state
    return {
        "id": c.id, "created_at": c.created_at, "email": c.email, "phone": c.phone, "timezone": c.timezone,
        "locale": c.locale, "country": c.country, "currency": c.currency, "stage": c.stage, "tags": list(c.tags),
        "segments": sorted(c.segments), "consents": consents, "attributes": c.attributes,
    }  # fmt: skip


def _event_rows(sealer: Sealer, found: Sequence[Any]) -> list[Row]:
    return [
        {
            "at": instant(at), "customer": external, "event": name, "id": id or None,
            "properties": opened(sealer, f"{EVENT}:{owner}", loads(text)),
        }
        for _, owner, name, at, _, id, text, external in found
    ]  # fmt: skip


def _choices(run: Run, sealer: Sealer, after: Sequence[Any], found: Sequence[Any]) -> list[Row]:
    """What customers chose, with the row of the ledger by which it came to hold."""
    said: dict[tuple[int, str, str], Any] = {}
    for row in run(_LEDGER, *after, *found[-1][:2]).fetchall():
        choice = choice_of(sealer, row[1], *row[3:])
        said[row[1], choice.topic, choice.channel] = choice
    rows = []
    for _, owner, external, text in found:
        for (topic, channel), (state, at) in choices_of(text).items():
            rows.append(choice_row(external, topic, channel, state, at, said.get((owner, topic, channel))))
    return rows


def choice_row(customer: str, topic: str, channel: str, state: str, at: int | None, choice: Any) -> Row:
    """A choice that holds. `at`: the instant that belongs to it (see Customer), `choice` the row of the ledger."""
    if choice is not None and choice.state != state:
        choice = None
    said_at = choice.at if choice is not None else instant_or_none(at) if state != "in" else None
    return {
        "customer": customer, "topic": topic, "channel": channel, "state": state, "at": said_at,
        "source": (choice.source or None) if choice is not None else None,
        "wording": choice.wording if choice is not None else None,
        "proof": choice.proof if choice is not None else None,
        "expires_at": choice.expires_at if choice is not None else None,
    }  # fmt: skip


def _code_rows(sealer: Sealer, found: Sequence[Any]) -> list[Row]:
    return [{"offer": offer, "code": code, "status": "given" if given else "free"} for _, offer, code, given in found]


def _message_rows(sealer: Sealer, found: Sequence[Any]) -> list[Row]:
    return [message_row(loaded_message(sealer, *columns)) for _, _, *columns in found]


def message_row(loaded: Any) -> Row:
    """A message of the ledger."""
    m = loaded.row
    return {
        "id": m.id, "at": m.at, "customer": m.customer_id or None, "journey": m.journey, "version": m.version,
        "key": m.key or None, "step": m.step, "visit": m.visit, "channel": m.channel, "topic": m.topic,
        "class": m.klass, "template": m.template, "locale": m.locale, "to": m.to or None, "subject": m.subject,
        "status": loaded.status, "opened_at": loaded.opened_at, "clicked_at": loaded.clicked_at,
        "coupon": m.coupon,
    }  # fmt: skip


def _line_rows(sealer: Sealer, found: Sequence[Any]) -> list[Row]:
    return [line_row(line_id(row), line_in(sealer, row)) for row in found]


def line_row(id: str, line: Transition) -> Row:
    """A line of the journal by columns: what every line has, and the rest in `data`."""
    return {
        "id": id, "at": line.at, "customer": line.customer or None, "type": line.type, "journey": line.journey,
        "version": line.version, "key": line.key, "step": line.step, "enrollment": line.enrollment, "data": line.data,
    }  # fmt: skip


def line_id(row: Sequence[Any]) -> str:
    """What names a line for good, of its row's key."""
    return ".".join(map(str, row[:5]))


def line_in(sealer: Sealer, row: Sequence[Any]) -> Transition:
    """The line in a row of LINE_COLUMNS."""
    _, owner, at, seq, _, type_, journey, version, key, step, enrollment, data, details, external = row
    said = opened(sealer, f"{LINE}:{owner}", loads(data))
    values = loads(sealer.open(f"{DETAILS}:{owner}", details)) if details is not None else {}
    return Transition(instant(at), external or "", seq, type_, journey, version, key, step, said, enrollment, values)


_KINDS: Final[Mapping[str, tuple[str, tuple[Any, ...], int, Callable[[Sealer, Sequence[Any]], list[Row]]]]] = {
    "customers": (_CUSTOMERS, (-1, -1), 2, _customer_rows),
    "events": (_EVENTS, (-1, -1, "", 0, 0), 5, _event_rows),
    "consents": (_CONSENTS, (-1, -1), 2, lambda sealer, found: []),
    "codes": (_CODES, (0,), 1, _code_rows),
    "messages": (_MESSAGES, (-1, -1, ""), 3, _message_rows),
    "journal": (_JOURNAL, (-1, -1, 0, 0, 0), 5, _line_rows),
}
"""By kind: the statement, the key before all, how many values a key has, and what makes rows."""
