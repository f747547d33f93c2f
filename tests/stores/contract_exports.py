"""The contract of imports of many customers, of pages of whole tables, and of followers of the journal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.core.inbox import ConsentChanged, Event
from orchestrator.stores.protocol import Settlement, Store
from orchestrator.stores.protocol_exports import ExportKind, Feed, FeedLetter
from tests.stores.driving import START, WRITES, arrive, create, event, index_of, later, turns

KINDS: Sequence[ExportKind] = ("customers", "events", "consents", "codes", "messages", "journal")


def everything(store: Store, kind: ExportKind, limit: int) -> list[dict[str, Any]]:
    """All rows of a kind, page by page."""
    rows: list[dict[str, Any]] = []
    after: str | None = ""
    while after is not None:
        page = store.export_page(kind, after, limit)
        assert 0 <= page.share <= 1
        rows += [dict(row) for row in page.rows]
        after = page.upto
    return rows


def followed(store: Store, limit: int, position: str = "") -> tuple[list[str], str]:
    """The ids of all lines behind a position, and where it ends."""
    ids: list[str] = []
    while True:
        page = store.journal_after(position, limit)
        ids += [line.id for line in page.lines]
        if not page.lines:
            return ids, page.upto
        position = page.upto


class ExportContract:
    """Tests of ExportStore."""

    def test_many_pasts_are_laid_at_once_and_again_without_harm(self, store: Store) -> None:
        pasts = {
            f"u{n}": [Event("go", later(-n), {"n": n}, f"a{n}"), Event("go", later(-n), {"n": n}, f"a{n}")]
            for n in range(1, 30)
        }
        pasts["u1"] += [Event("go", later(-2), {}, ""), Event("go", later(-2), {}, "")]
        store.lay_histories(pasts)
        store.lay_histories({"u1": [Event("go", later(-1), {"n": 1}, "a1")], "u2": []})
        found = everything(store, "events", 7)
        assert len(found) == 31 and {row["customer"] for row in found} == set(pasts)
        assert [row["properties"] for row in found if row["customer"] == "u9"] == [{"n": 9}]
        assert store.known_customers(["u1", "nobody", "u29"]) == {"u1", "u29"}
        assert store.known_customers([]) == frozenset()

    def test_profiles_come_with_their_consents(self, store: Store) -> None:
        create(store, "u1", email="u1@example.com", vip=True)
        arrive(store, "u1", ConsentChanged("promotions", "email", "out", at=later(1), source="page"), later(1))
        turns(store, later(1))
        found = store.profiles_of(["u1", "u2"])
        assert list(found) == ["u1"]
        assert (found["u1"].email, found["u1"].attributes) == ("u1@example.com", {"vip": True})
        assert found["u1"].consents[("promotions", "email")] == "out"

    def test_whoever_was_merged_is_known_by_both_names(self, store: Store) -> None:
        create(store, "u1", "u2")
        assert store.merge("u2", "u1", later(1), "ana").outcome == "merged"
        turns(store, later(1))
        assert store.known_customers(["u1", "u2", "u3"]) == {"u1", "u2"}
        assert {id: c.id for id, c in store.profiles_of(["u1", "u2", "u3"]).items()} == {"u1": "u1", "u2": "u1"}
        store.lay_histories({"u2": [Event("go", later(-1), {}, "a1")], "u1": [Event("go", later(-1), {}, "a1")]})
        laid = [row for row in everything(store, "events", 10) if row["id"] == "a1"]
        assert {row["customer"] for row in laid} == {"u1"}

    @pytest.mark.parametrize("limit", [1, 3, 1_000])
    def test_pages_of_any_size_give_every_row_once(self, make_store: Any, limit: int) -> None:
        store = make_store()
        offers = {"ten": {"title": "Ten", "discount": {"percent": 10}, "codes": {"import": True}}}
        store.deploy(index_of({"writes": WRITES}, offers=offers), START)
        _live(store, codes=True)
        counts = {kind: len(everything(store, kind, limit)) for kind in KINDS if kind != "journal"}
        assert counts == {"customers": 5, "events": 10, "consents": 10, "codes": 4, "messages": 5}
        [chosen] = [
            row for row in everything(store, "consents", limit) if (row["customer"], row["channel"]) == ("u2", "email")
        ]
        assert chosen == {
            "customer": "u2", "topic": "promotions", "channel": "email", "state": "in", "at": later(5),
            "source": "page",
            "wording": "Yes, please", "proof": {"ip": "203.0.113.7"}, "expires_at": None,
        }  # fmt: skip
        [message] = [row for row in everything(store, "messages", limit) if row["customer"] == "u2"]
        assert (message["to"], message["status"], message["channel"]) == ("u2@example.com", "sent", "email")
        codes = everything(store, "codes", limit)
        assert sorted((row["offer"], row["code"], row["status"]) for row in codes) == [
            ("ten", code, "free") for code in "ABCD"
        ]

    @pytest.mark.parametrize("limit", [1, 4, 1_000])
    def test_followers_hear_of_every_line_once(self, make_store: Any, limit: int) -> None:
        store = make_store()
        if getattr(store, "db", None) is None:
            store._past = []  # a store in memory keeps its journal where it is asked to
        store.deploy(index_of({"writes": WRITES}), START)
        assert followed(store, limit)[0] == []
        begin = store.journal_end()
        _live(store)
        ids, position = followed(store, limit)
        assert len(ids) == len(set(ids)) and len(ids) == len(everything(store, "journal", 1_000)) > 5
        assert followed(store, limit, begin)[0] == ids
        assert followed(store, limit, position)[0] == [] and followed(store, limit, store.journal_end())[0] == []
        arrive(store, "u1", event("go", order="9"))
        turns(store, START)
        more, _ = followed(store, limit, position)
        assert more and not set(more) & set(ids)
        lines = store.journal_lines([more[0], ids[0]])
        assert [lines[id].customer[0] for id in (more[0], ids[0])] == ["u", "u"]

    def test_a_follower_stands_where_only_one_process_put_it(self, store: Store) -> None:
        assert store.feed("a:b") is None and store.feeds("a:") == []
        first = Feed("a:b", "7", 1)
        assert store.keep_feed(first, None) and not store.keep_feed(first._replace(position="8"), None)
        assert store.feed("a:b") == first
        failed = first._replace(tries=1, retry_at=later(1), reason="503", lines=7, since=later(0), paused=True)
        assert store.keep_feed(failed, first) and store.feeds("a:") == [failed]
        assert not store.keep_feed(Feed("a:b", "9", 2), first), "somebody else moved it"
        assert store.keep_feed(Feed("a:b", "9", 2), failed) and store.feed("a:b") == Feed("a:b", "9", 2)

    def test_letters_are_kept_with_the_position_and_dropped_when_they_are_settled(self, make_store: Any) -> None:
        store = make_store()
        if getattr(store, "db", None) is None:
            store._past = []
        store.deploy(index_of({"writes": WRITES}), START)
        _live(store)
        ids = followed(store, 100)[0][:3]
        letters = [FeedLetter("a:b", id, START, "410") for id in ids]
        assert store.keep_feed(Feed("a:b", "9", 2), None, letters)
        assert not store.keep_feed(Feed("a:b", "9", 2), None, [FeedLetter("a:b", "0.1.2.3.4", START, "")])
        kept = store.letters("a:b", 2)
        assert len(kept) == 2 and [*kept, *store.letters("a:b", 2, kept[-1].id)] == sorted(
            letters, key=lambda letter: tuple(map(int, letter.id.split(".")))
        )
        assert store.letters_left("a:b") == 3 and store.letters_left("a:c") == 0 and store.letters("a:c", 9) == []
        store.drop_letters("a:b", [ids[0], "0.1.2.3.9"] if "." in ids[0] else [ids[0]])
        assert store.letters_left("a:b") == 2


def _live(store: Store, codes: bool = False) -> None:
    """Five people, each with an event, a choice and a message; four codes."""
    if codes:
        store.import_codes("ten", ["A", "B", "C", "D"])
    for n in range(1, 6):
        create(store, f"u{n}", email=f"u{n}@example.com")
        arrive(store, f"u{n}", event("go", order=str(n)))
        said = ConsentChanged(
            "promotions", "email", "in", at=later(5), source="page", wording="Yes, please", proof={"ip": "203.0.113.7"}
        )
        arrive(store, f"u{n}", said, later(5))
    turns(store, later(5))
    claimed = store.claim_messages(later(5), 10)
    store.settle_messages(
        [Settlement(one.row.id, one.row.customer_id, "sent", fence=one.fence) for one in claimed], later(5)
    )
