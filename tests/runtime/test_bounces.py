"""What follows from mails that came back, in a Maildir and to the next decision."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orchestrator.channels.bounces.mailbox import Found, Maildir
from orchestrator.core.suppression import hashed_entry
from orchestrator.core.verp import marked_id, verp_address, verp_mark
from orchestrator.runtime.bounces import (
    BounceCounts,
    lift_suppressions,
    note_delivered,
    note_soft_bounce,
    read_bounces_once,
    settle_bounce,
)
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Settlement, StoreBusy
from tests.channels.bounces.mails import away, complaint, dsn, plain
from tests.stores.driving import START, arrive, create, event, index_of, later, turns

SECRET = b"s" * 32
TO = "ana@example.com"
NEWS = {
    "topic": "promotions",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"email": "hello"}],
}
ORDERS = {**NEWS, "topic": "orders", "enter": {"event": "bought", "key": "event.order", "reentry": "always"}}


@pytest.fixture
def store() -> MemoryStore:
    found = MemoryStore(salt="salt", keep_journal=True)
    found.deploy(index_of({"news": NEWS, "orders": ORDERS}), START)
    create(found, "ana", email=TO)
    return found


@pytest.fixture
def maildir(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


def sent(store: MemoryStore, minute: int, name: str = "go") -> str | None:
    """Whatever a new event brings ana; the id of the message that went, if one did."""
    arrive(store, "ana", event(name, order=str(minute)), later(minute))
    turns(store, later(minute))
    claimed = store.claim_messages(later(minute), 10)
    store.settle_messages(
        [Settlement(c.row.id, "ana", "sent", handed_over=True, fence=c.fence) for c in claimed], later(minute)
    )
    return claimed[0].row.id if claimed else None


def signed(id: str) -> str:
    """As a mail's header says it."""
    return marked_id(id, verp_mark(SECRET, id))


def read(store: MemoryStore, folder: Path, *mails: bytes, minute: int = 5) -> BounceCounts:
    for number, mail in enumerate(mails):
        (folder / "new" / f"{minute}.{number}").write_bytes(mail)
    done = read_bounces_once(store, Maildir(folder), SECRET, later(minute))
    turns(store, later(minute))
    return done


def causes(store: MemoryStore) -> frozenset[str]:
    return store.suppressions().get(("email", TO), frozenset())


def test_a_hard_bounce_in_a_maildir_stops_the_next_message(store: MemoryStore, maildir: Path) -> None:
    id = sent(store, 1)
    assert id is not None
    assert read(store, maildir, dsn(to=TO, id=signed(id))) == BounceCounts(mails=1, hard=1)
    assert causes(store) == {"bounced"}
    assert store.ledger(id).status == "bounced"  # type: ignore[union-attr]
    assert sent(store, 10) is None
    assert [t.data["reason"] for t in store.journal("ana") if t.type == "suppressed"] == ["bounced"]
    assert [path.name for path in (maildir / "cur").iterdir()] == ["5.0:2,S"]
    assert not list((maildir / "new").iterdir())
    assert store.counted()["bounces:hard"] == 1


def test_a_complaint_ends_promotions_and_no_order_mails(store: MemoryStore, maildir: Path) -> None:
    id = sent(store, 1)
    assert id is not None
    assert read(store, maildir, complaint(id=signed(id))).complaint == 1
    assert causes(store) == {"complained"}
    assert sent(store, 10) is None
    assert sent(store, 11, "bought") is not None


def test_the_address_of_the_envelope_names_the_message_alone(store: MemoryStore, maildir: Path) -> None:
    id = sent(store, 1)
    assert id is not None
    box = verp_address(verp_mark(SECRET, id), id, "bounce@b.brand.example")
    assert id in box
    bare = dsn(to=TO, id="nothing", arrived_for=box.upper())
    assert read(store, maildir, bare).hard == 1
    forged = verp_address(verp_mark(b"x" * 32, id), id, "bounce@b.brand.example")
    store.unsuppress([("email", TO, "bounced")])
    assert read(store, maildir, dsn(to=TO, id="nothing", arrived_for=forged), minute=6).unclear == 1
    assert not causes(store)


@pytest.mark.parametrize("made", [dsn, complaint, plain], ids=lambda made: made.__name__)
def test_whoever_knows_an_id_from_a_link_forges_nothing_with_it(store: MemoryStore, maildir: Path, made: Any) -> None:
    id = sent(store, 1)
    assert id is not None
    words = ("ana@example.com\n550 5.1.1 user unknown",) if made is plain else ()
    for forged in (id, marked_id(id, "a" * 10), marked_id(id, verp_mark(b"x" * 32, id)), f"{signed(id)}x"):
        for number in range(5):
            assert read(store, maildir, made(*words, id=forged), minute=number + 5).unclear == 1
    assert not causes(store) and store.ledger(id).status == "sent"  # type: ignore[union-attr]
    assert read(store, maildir, made(*words, id=signed(id)), minute=11).unclear == 0
    assert causes(store) == {"complained" if made is complaint else "bounced"}


def test_the_envelope_id_of_a_report_names_the_message_alone(store: MemoryStore, maildir: Path) -> None:
    id = sent(store, 1)
    assert id is not None
    report = dsn(to=TO, id="nothing").replace(b"Reporting-MTA:", b"Original-Envelope-Id: %s\nReporting-MTA:")
    assert read(store, maildir, report % id.encode()).unclear == 1
    assert read(store, maildir, report % signed(id).encode(), minute=6).hard == 1


def test_what_names_no_message_of_ours_acts_on_nobody_and_stays(store: MemoryStore, maildir: Path) -> None:
    sent(store, 1)
    done = read(store, maildir, dsn(to=TO, id="not.ours"), plain("hello there", "a letter", "ben@example.com"), b"\xff")
    assert done == BounceCounts(mails=3, unclear=3)
    assert not causes(store)
    assert sorted(path.name for path in (maildir / "cur").iterdir()) == ["5.0:2,FS", "5.1:2,FS", "5.2:2,FS"]
    assert read(store, maildir) == BounceCounts()


def test_auto_replies_and_delays_are_put_away_without_consequence(store: MemoryStore, maildir: Path) -> None:
    id = sent(store, 1)
    assert id is not None
    done = read(store, maildir, away(), dsn("delayed", "4.4.1", "smtp; 451 try later", TO, signed(id)))
    assert done == BounceCounts(mails=2, delayed=1, auto_reply=1)
    assert not causes(store)
    assert sent(store, 10) is not None


def test_a_block_is_no_fault_of_the_address(store: MemoryStore, maildir: Path) -> None:
    for minute in range(1, 9):
        id = sent(store, minute)
        assert id is not None
        blocked = dsn("failed", "5.7.1", "smtp; 550 5.7.1 spam", TO, signed(id))
        assert read(store, maildir, blocked, minute=minute).block == 1
    assert not causes(store)


def test_a_forwarded_mail_that_bounces_there_is_soft(store: MemoryStore, maildir: Path) -> None:
    id = sent(store, 1)
    assert id is not None
    assert read(store, maildir, dsn(to="old@elsewhere.example", id=signed(id))).soft == 1
    assert not causes(store)


def test_soft_bounces_add_up_until_the_address_is_given_up(store: MemoryStore, maildir: Path) -> None:
    full = "smtp; 552 5.2.2 mailbox full"
    for minute in range(1, 10):
        id = sent(store, minute)
        if id is None:
            break
        assert read(store, maildir, dsn("failed", "5.2.2", full, TO, signed(id)), minute=minute).soft == 1
    assert 4 <= minute - 1 <= 5
    assert causes(store) == {"bounced"}


def test_soft_bounces_that_are_read_in_one_pass_count_each(store: MemoryStore, maildir: Path) -> None:
    ids = [sent(store, minute) for minute in range(1, 6)]
    full = "smtp; 552 5.2.2 mailbox full"
    mails = [dsn("failed", "5.2.2", full, TO, signed(id)) for id in ids if id is not None]
    assert len(mails) == 5
    assert read(store, maildir, *mails[:3], minute=7).soft == 3
    assert not causes(store)
    assert read(store, maildir, *mails[:3], minute=8).known == 3
    assert not causes(store)
    assert read(store, maildir, *mails[3:], minute=9).soft == 2
    assert causes(store) == {"bounced"}


def test_whoever_opens_a_mail_between_soft_bounces_is_kept(store: MemoryStore, maildir: Path) -> None:
    from orchestrator.core.inbox import Receipt

    full = "smtp; 552 5.2.2 mailbox full"
    for minute in range(1, 30, 2):
        id = sent(store, minute)
        assert id is not None
        arrive(store, "ana", Receipt("open", "email", id), later(minute + 1))
        turns(store, later(minute + 1))
        assert read(store, maildir, dsn("failed", "5.2.2", full, TO, signed(id)), minute=minute).soft == 1
    assert not causes(store)


def test_the_same_mail_twice_changes_nothing_more(store: MemoryStore, maildir: Path) -> None:
    id = sent(store, 1)
    assert id is not None
    soft = dsn("failed", "5.2.2", "smtp; 552 mailbox full", TO, signed(id))
    assert read(store, maildir, soft).soft == 1
    for minute in range(6, 16):
        assert read(store, maildir, soft, minute=minute) == BounceCounts(mails=1, known=1)
    assert not causes(store)


class Interrupted(Maildir):
    """A folder whose reader ends before it puts a mail away."""

    def put_away(self, name: str) -> None:
        raise StoreBusy("gone")


def test_an_interruption_before_a_mail_is_put_away_loses_and_doubles_nothing(store: MemoryStore, maildir: Path) -> None:
    id = sent(store, 1)
    assert id is not None
    (maildir / "new" / "1").write_bytes(dsn(to=TO, id=signed(id)))
    with pytest.raises(StoreBusy):
        read_bounces_once(store, Interrupted(maildir), SECRET, later(5))
    assert causes(store) == {"bounced"}, "committed before it is put away"
    assert read_bounces_once(store, Maildir(maildir), SECRET, later(6)).known == 1
    turns(store, later(6))
    assert [t.type for t in store.journal("ana")].count("outcome") == 1


class BusyStore(MemoryStore):
    """A store that cannot be written."""

    def suppress(self, entries: object, now: object) -> None:
        raise StoreBusy("locked")


def test_a_busy_store_leaves_the_mail_where_it_is(maildir: Path) -> None:
    store = BusyStore(salt="salt")
    store.deploy(index_of({"news": NEWS, "orders": ORDERS}), START)
    create(store, "ana", email=TO)
    id = sent(store, 1)
    assert id is not None
    (maildir / "new" / "1").write_bytes(dsn(to=TO, id=signed(id)))
    with pytest.raises(StoreBusy):
        read_bounces_once(store, Maildir(maildir), SECRET, later(5))
    assert [path.name for path in (maildir / "new").iterdir()] == ["1"]


class Faulty(MemoryStore):
    """A store with a bug that one message's row finds."""

    def ledger(self, id: str) -> None:
        raise RuntimeError("our bug")


def test_a_mail_that_finds_a_bug_is_put_aside_and_those_behind_it_are_read(maildir: Path) -> None:
    store = Faulty(salt="salt")
    store.deploy(index_of({"news": NEWS, "orders": ORDERS}), START)
    done = read(store, maildir, dsn(id=signed("e1.hello.1")), b"Subject: =?utf-8?b?a?=\n\nhello", away())
    assert done == BounceCounts(mails=3, unclear=2, auto_reply=1)
    assert sorted(path.name for path in (maildir / "cur").iterdir()) == ["5.0:2,FS", "5.1:2,FS", "5.2:2,S"]


class Endless:
    """A mailbox that always has one mail more."""

    def unread(self, limit: int) -> Iterator[Found]:
        return (Found(str(n), b"hello") for n in range(limit))

    def put_away(self, name: str) -> None:
        raise AssertionError("nothing here is clear")

    def put_aside(self, name: str) -> None:
        """It stays."""

    def close(self) -> None:
        """Nothing is open."""


def test_a_pass_ends_when_it_is_told_to(store: MemoryStore) -> None:
    answers = iter([False, False, True])
    assert read_bounces_once(store, Endless(), SECRET, START, stopping=lambda: next(answers)).mails == 2
    assert read_bounces_once(store, Endless(), SECRET, START, limit=7).mails == 7


def test_soft_bounces_of_any_channel_and_their_end(store: MemoryStore) -> None:
    at = START
    for _ in range(3):
        at += timedelta(hours=1)
        assert not note_soft_bounce(store, "email", "ANA+shop@Example.com", at)
    note_delivered(store, "email", TO)
    for number in range(5):
        at += timedelta(hours=1)
        assert note_soft_bounce(store, "email", TO, at) == (number == 4)
    assert causes(store) == {"bounced"}


def test_lifting_takes_every_cause_and_the_hashed_entry(store: MemoryStore) -> None:
    hidden = hashed_entry(store.salt, "email", TO)
    store.suppress([("email", TO, "bounced"), (*hidden, "suppressed")], START)
    assert lift_suppressions(store, "email", "Ana@example.com") == ("bounced", "suppressed")
    assert not causes(store)
    assert lift_suppressions(store, "email", TO) == ()


def test_an_unreadable_mail_is_unclear(store: MemoryStore) -> None:
    assert not settle_bounce(store, b"", SECRET, START).clear
