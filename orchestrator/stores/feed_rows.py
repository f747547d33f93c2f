"""Where followers of the journal stand, and what they would not take: one text of SQL for both databases."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Final

from orchestrator.core.transition import Transition
from orchestrator.stores.erasures import Run
from orchestrator.stores.export_rows import LINE_COLUMNS, LINE_TABLES, line_id, line_in
from orchestrator.stores.instants import instant, instant_or_none, micros, micros_or_none
from orchestrator.stores.protocol_exports import Feed, FeedLetter
from orchestrator.stores.sealing import Sealer

_FEED: Final = "name, position, batch, tries, retry_at, reason, lines, since, paused"
_LINE: Final = f"""
SELECT {LINE_COLUMNS} FROM {LINE_TABLES}
WHERE t.shard = ? AND t.customer = ? AND t.at = ? AND t.seq = ? AND t.n = ?
"""
_PLACE: Final = "shard = ? AND customer = ? AND at = ? AND seq = ? AND n = ?"


class FeedRows:
    """The part of a database's store that followers ask. It gives `_look` and `_change`: statements that read, and
    statements of one transaction."""

    _look: Callable[[], AbstractContextManager[Run]]
    _change: Callable[[], AbstractContextManager[Run]]
    db: Any

    def feed(self, name: str) -> Feed | None:
        """Where a follower stands."""
        with self._look() as run:
            found = run(f"SELECT {_FEED} FROM feeds WHERE name = ?", name).fetchone()
        return None if found is None else _feed(found)

    def feeds(self, prefix: str) -> Sequence[Feed]:
        """Those whose names begin so."""
        with self._look() as run:
            sql = f"SELECT {_FEED} FROM feeds WHERE name >= ? AND name < ? ORDER BY name"
            return [_feed(row) for row in run(sql, prefix, f"{prefix}\x7f").fetchall()]

    def keep_feed(self, feed: Feed, since: Feed | None, letters: Sequence[FeedLetter] = ()) -> bool:
        """Where it stands now, unless somebody else moved it."""
        values = (
            feed.position, feed.batch, feed.tries, micros_or_none(feed.retry_at), feed.reason[:500], feed.lines,
            micros_or_none(feed.since), int(feed.paused),
        )  # fmt: skip
        with self._change() as run:
            if since is None:
                done = run(
                    f"INSERT INTO feeds ({_FEED}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) DO NOTHING",
                    feed.name, *values,
                )  # fmt: skip
            else:
                done = run(
                    "UPDATE feeds SET position = ?, batch = ?, tries = ?, retry_at = ?, reason = ?, lines = ?, "
                    "since = ?, paused = ? "
                    "WHERE name = ? AND position = ? AND batch = ? AND tries = ?",
                    *values, feed.name, since.position, since.batch, since.tries,
                )  # fmt: skip
            if done.rowcount < 1:
                return False
            for letter in letters:
                run(
                    "INSERT INTO feed_letters (shard, customer, at, seq, n, feed, failed_at, reason) "
                    "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (shard, customer, at, seq, n, feed) DO NOTHING",
                    *_place(letter.id), letter.feed, micros(letter.at), letter.reason[:500],
                )  # fmt: skip
        return True

    def letters(self, feed: str, limit: int, after: str = "") -> Sequence[FeedLetter]:
        """Along their index."""
        place = _place(after) if after else (-1, -1, 0, 0, 0)
        with self._look() as run:
            found = run(
                "SELECT shard, customer, at, seq, n, failed_at, reason FROM feed_letters WHERE feed = ? "
                "AND (shard, customer, at, seq, n) > (?, ?, ?, ?, ?) ORDER BY shard, customer, at, seq, n LIMIT ?",
                feed, *place, limit,
            ).fetchall()  # fmt: skip
        return [FeedLetter(feed, line_id(row), instant(row[5]), row[6]) for row in found]

    def letters_left(self, feed: str) -> int:
        """How many there are."""
        with self._look() as run:
            return int(run("SELECT count(*) FROM feed_letters WHERE feed = ?", feed).fetchone()[0])

    def drop_letters(self, feed: str, ids: Collection[str]) -> None:
        """They are settled."""
        with self._change() as run:
            for id in ids:
                run(f"DELETE FROM feed_letters WHERE {_PLACE} AND feed = ?", *_place(id), feed)

    def journal_lines(self, ids: Collection[str]) -> Mapping[str, Transition]:
        """Lines by their ids."""
        sealer: Sealer = self.db.sealer
        found = {}
        with self._look() as run:
            for id in ids:
                row = run(_LINE, *_place(id)).fetchone()
                if row is not None:
                    found[id] = line_in(sealer, row)
        return found


def _place(id: str) -> tuple[int, ...]:
    return tuple(map(int, id.split(".")))


def _feed(row: Sequence[Any]) -> Feed:
    name, position, batch, tries, retry_at, reason, lines, since, paused = row
    return Feed(
        name, position, batch, tries, instant_or_none(retry_at), reason, lines, instant_or_none(since), bool(paused)
    )
