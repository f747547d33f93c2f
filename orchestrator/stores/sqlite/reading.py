"""What people and receipts ask for: cards, the journal, the ledger, what was refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.core.ledger import UNSENT, Coupon, Message, Task
from orchestrator.core.project import Offer
from orchestrator.core.state import from_json, loads
from orchestrator.core.transition import Transition
from orchestrator.core.view import LoadedMessage
from orchestrator.stores import sealed_rows
from orchestrator.stores.instants import instant
from orchestrator.stores.message_rows import loaded_message
from orchestrator.stores.protocol import CustomerCard, Overview, RefusedItem
from orchestrator.stores.records import ENROLLMENT, MESSAGE, customer_of, enrollment_of, message_of
from orchestrator.stores.refused_rows import refused_item, refused_row
from orchestrator.stores.sealing import Sealer
from orchestrator.stores.sqlite.due import SqliteDue
from orchestrator.stores.sqlite.inbox import internal_ids, who_is
from orchestrator.stores.sqlite.overview import count_left, count_parked, read_overview, read_standing

_UNSENT: Final = ", ".join(f"'{status}'" for status in sorted(UNSENT))
_FATE: Final = f"m.status, m.opened_at, m.clicked_at, {MESSAGE}"
_MINE: Final = "WHERE shard = ? AND customer = ?"
_MESSAGES: Final = f"SELECT {_FATE} FROM messages AS m {_MINE} ORDER BY seq, id"
_LATEST_OF: Final = (
    f"SELECT {MESSAGE} FROM messages AS m {_MINE} AND channel = ?3 AND (?4 IS NULL OR step = ?4) "
    f"AND status NOT IN ({_UNSENT}) ORDER BY seq DESC LIMIT 1"
)
_BY_ID: Final = f"SELECT {_FATE} FROM messages AS m INDEXED BY ix_messages_id WHERE id = ?"
_UNDER: Final = (
    f"SELECT {_FATE} FROM messages AS m INDEXED BY ix_messages_id WHERE id >= ? AND id < ? ORDER BY id LIMIT 100"
)
_LATEST: Final = f"SELECT {_FATE} FROM messages AS m INDEXED BY ix_messages_at ORDER BY at DESC, id DESC LIMIT ?"
_COUPONS: Final = f"SELECT row FROM coupons {_MINE} ORDER BY seq"
_TASKS: Final = f"SELECT row FROM tasks {_MINE} ORDER BY seq"
_OPEN_TASKS: Final = f"SELECT row FROM tasks {_MINE} AND closed_at IS NULL ORDER BY seq DESC"
_ENROLLMENTS: Final = f"SELECT {ENROLLMENT} FROM enrollments AS t {_MINE} AND live = 1 ORDER BY seq"
_CUSTOMER: Final = """
SELECT c.parked, c.created_at, c.state, k.state FROM customers AS c
LEFT JOIN consents AS k ON k.shard = c.shard AND k.customer = c.id WHERE c.shard = ? AND c.id = ?
"""
_JOURNAL: Final = f"""
SELECT at, seq, type, journey, version, key, step, data, enrollment, details FROM transitions {_MINE}
ORDER BY at, seq, n
"""


class SqliteReading(SqliteDue):
    """The part of the store that shows."""

    def message(self, customer: str, channel: str, step: str | None) -> Message | None:
        """The latest message of a customer on a channel that was not unsent."""
        with self.db.read() as c:
            place = internal_ids(c, [customer]).get(customer)
            found = c.execute(_LATEST_OF, (*place, channel, step)).fetchone() if place is not None else None
        return None if found is None else message_of(self.db.sealer, *found)

    def open_task(self, customer: str, step: str | None) -> Task | None:
        """The latest open task of a customer."""
        with self.db.read() as c:
            place = internal_ids(c, [customer]).get(customer)
            found = c.execute(_OPEN_TASKS, place).fetchall() if place is not None else []
        return next((task for task in _tasks(self.db.sealer, place, found) if step in (None, task.step)), None)

    def card(self, customer: str) -> CustomerCard | None:
        """What people are shown."""
        with self.db.read() as c:
            found = who_is(c, customer)
            if found is None:
                return None
            customer, place = found
            parked, created_at, state, consents = c.execute(_CUSTOMER, place).fetchone()
            return CustomerCard(
                customer,
                parked,
                [loaded_message(self.db.sealer, *row) for row in c.execute(_MESSAGES, place)],
                [from_json(Coupon, row) for (row,) in c.execute(_COUPONS, place).fetchall()],
                _tasks(self.db.sealer, place, c.execute(_TASKS, place).fetchall()),
                customer_of(self.db.sealer, customer, created_at, state, consents),
                [enrollment_of(self.db.sealer, customer, *columns) for columns in c.execute(_ENROLLMENTS, place)],
            )

    def drain_journal(self) -> list[Transition]:
        """What this process recorded since the last call, where the store was opened to keep it."""
        if self._drained is None:
            return []
        drained, self._drained = self._drained, []
        return drained

    def journal(self, customer: str) -> list[Transition]:
        """Everything recorded about a customer, in order."""
        with self.db.read() as c:
            customer, place = who_is(c, customer) or (customer, None)
            rows = c.execute(_JOURNAL, place).fetchall() if place is not None else []
        return [] if place is None else [_transition(self.db.sealer, place[1], customer, *row) for row in rows]

    def ledger(self, message_id: str) -> LoadedMessage | None:
        """A message by its id."""
        with self.db.read() as c:
            found = c.execute(_BY_ID, (message_id,)).fetchone()
        return None if found is None else loaded_message(self.db.sealer, *found)

    def messages_under(self, prefix: str) -> Sequence[LoadedMessage]:
        """Along the index of ids."""
        with self.db.read() as c:
            return [loaded_message(self.db.sealer, *row) for row in c.execute(_UNDER, (prefix, f"{prefix}\x7f"))]

    def latest_messages(self, limit: int) -> Sequence[LoadedMessage]:
        """The messages decided last."""
        with self.db.read() as c:
            return [loaded_message(self.db.sealer, *row) for row in c.execute(_LATEST, (limit,))]

    def overview(self) -> Overview:
        """The figures of a status page."""
        with self.db.read() as c:
            return read_overview(c)

    def standing(self) -> Mapping[tuple[str, str, str], int]:
        """Counted by one statement, along the index of those who are not over."""
        with self.db.read() as c:
            return read_standing(c)

    def parked(self, limit: int) -> int:
        """Along the index of those who are."""
        with self.db.read() as c:
            return count_parked(c, limit)

    def coupons_left(self, offer: Offer, limit: int) -> int:
        """Along indexes; the codes given are counted."""
        with self.db.read() as c:
            return count_left(c, offer, limit)

    def keep_refused(self, items: Sequence[RefusedItem]) -> None:
        """Keep what could not be taken, cut to what is shown."""
        if not items:
            return
        rows = [refused_row(item, self.db.sealer) for item in items]
        with self.db.write() as c:
            c.executemany("INSERT INTO refused (at, source, reason, content) VALUES (?, ?, ?, ?)", rows)

    def refused(self, limit: int) -> Sequence[RefusedItem]:
        """What could not be taken, newest first."""
        with self.db.read() as c:
            rows = c.execute(
                "SELECT at, source, reason, content FROM refused ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
        return [refused_item(self.db.sealer, *row) for row in rows]


def _tasks(sealer: Sealer, place: tuple[int, int] | None, rows: Sequence[tuple[Any, ...]]) -> list[Task]:
    context = f"{sealed_rows.TASK}:{place[1]}" if place is not None else ""
    return [from_json(Task, sealer.open(context, text)) for (text,) in rows]


def _transition(
    sealer: Sealer,
    owner: int,
    customer: str,
    at: int,
    seq: int,
    type_: str,
    journey: str | None,
    version: str | None,
    key: str | None,
    step: str | None,
    data: str,
    enrollment: str | None,
    details: str | None,
) -> Transition:
    said = sealed_rows.opened(sealer, f"{sealed_rows.LINE}:{owner}", loads(data))
    values = loads(sealer.open(f"{sealed_rows.DETAILS}:{owner}", details)) if details is not None else {}
    return Transition(
        instant(at), customer, seq, type_, journey, version, key, step, said, enrollment, values,
    )  # fmt: skip
