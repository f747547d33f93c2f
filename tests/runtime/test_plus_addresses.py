"""Plus-addresses together or apart: whatever way an address is put on the list, whoever decides or delivers finds it,
and no change of the setting opens anybody."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from itertools import count
from typing import Any, Final, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.channels.hooks.protocol import Told
from orchestrator.channels.protocol import Answer
from orchestrator.cli.import_suppressions import Suppressions
from orchestrator.core.addresses import email_address, plus_tag
from orchestrator.core.claim import Claimed, check_claim
from orchestrator.core.inbox import Receipt
from orchestrator.core.index import Index
from orchestrator.core.ledger import Message
from orchestrator.core.plus_addresses import keeps_apart, put_as, reasons, told_of, unmarked
from orchestrator.core.verp import marked_id, verp_mark
from orchestrator.core.view import Switches
from orchestrator.runtime.bounces import lift_suppressions, note_soft_bounce, settle_bounce
from orchestrator.runtime.hooks import take_told
from orchestrator.runtime.plus_addresses import kept_apart
from orchestrator.runtime.settlements import Settler
from orchestrator.stores.memory import MemoryStore
from tests.channels.bounces.mails import complaint, dsn
from tests.stores.driving import START, arrive, create, event, index_of, later, turns

CARE: Final = {
    "topic": "care",
    "enter": {"event": "go", "key": "event.order", "reentry": "always"},
    "steps": [{"email": "hello"}],
}
SECRET: Final = b"s" * 32
SETTINGS: Final = ("together", "apart")


def index(setting: str) -> Index:
    channels = {"email": {"from": "Harbour <hello@example.com>", "plus_addresses": setting}}
    return index_of({"cares": CARE}, project={"channels": channels})


class Written(NamedTuple):
    """A customer with an address, and a message to it that waits in the queue."""

    store: MemoryStore
    customer: str
    text: str
    claimed: Claimed

    @property
    def row(self) -> Message:
        return self.claimed.row


def world(setting: str, *texts: str) -> list[Written]:
    """A store with a customer for each of these addresses; the first is the one who is put on the list."""
    store = MemoryStore(salt="salt", keep_journal=True)
    store.deploy(index(setting), START)
    for number, text in enumerate(texts):
        create(store, f"u{number}", email=text)
        arrive(store, f"u{number}", event(order="first"), later(1))
    turns(store, later(1))
    found = {claimed.row.customer_id: claimed for claimed in store.claim_messages(later(1), 100)}
    return [Written(store, id, text, found[id]) for number, text in enumerate(texts) if (id := f"u{number}")]


def _receipt(w: Written, at: datetime) -> None:
    arrive(w.store, w.customer, Receipt("complaint", "email", w.row.id), at)
    turns(w.store, at)


def _answer(w: Written, at: datetime) -> None:
    settler = Settler(w.store, at)
    w.store.settle_messages([settler.answered(w.claimed, None, Answer("rejected", receipts=("bounce",)))], at)


def _hook(kind: Any, names_message: bool) -> Callable[[Written, datetime], None]:
    def tell(w: Written, at: datetime) -> None:
        take_told(w.store, "p", [Told(kind, "email", "e1", w.row.id if names_message else None, w.text)], at)

    return tell


def _softly(w: Written, at: datetime) -> None:
    assert [note_soft_bounce(w.store, "email", w.text, at) for _ in range(4)][-1]


def _mail(w: Written, at: datetime) -> None:
    id = marked_id(w.row.id, verp_mark(SECRET, w.row.id))
    # A report in ASCII cannot name another address; then a complaint, which need not name any.
    said = dsn(to=w.row.to, id=id) if w.row.to.isascii() else complaint(id=id)
    assert settle_bounce(w.store, said, SECRET, at).words in (("hard",), ("complaint",))


def _erase(w: Written, at: datetime) -> None:
    assert w.store.erase(w.customer, at, at, "operator", kept_apart(w.store)) is not None


def _import(w: Written, at: datetime) -> None:
    kind = Suppressions(kept_apart(w.store), w.store.salt)
    kind.write(w.store, kind.made_of({"email": w.text, "cause": "bounced"}), at, False)


PATHS: Final[dict[str, Callable[[Written, datetime], None]]] = {
    "receipt": _receipt,
    "answer": _answer,
    "hook bounce": _hook("bounce", True),
    "hook bounce of an address": _hook("bounce", False),
    "hook complaint": _hook("complaint", True),
    "hook unsubscribe": _hook("unsubscribe", False),
    "mail that came back": _mail,
    "soft bounces": _softly,
    "erasure": _erase,
    "import": _import,
}


_numbers = count()


def is_closed(w: Written, setting: str) -> bool:
    """What guard and claim say of an address under a setting; they have to agree."""
    store, at = w.store, later(30)
    store.deploy(index(setting), at)
    project = store.index.project
    verdict = check_claim(w.claimed, project, Switches(), store.suppressions(), store.salt, at)
    customer = f"new{next(_numbers)}"
    create(store, customer, email=w.text, at=at)
    arrive(store, customer, event(order="second"), at)
    turns(store, at)
    at_decision = any(line.type == "suppressed" for line in store.journal(customer))
    assert at_decision == (verdict.action == "suppress"), (w.text, verdict)
    return at_decision


LOCALS = st.sampled_from(["ana", "Ana", "a.na", "аna", "ａｎａ", "ana\u200b", "оса"])
TAGS = st.sampled_from(["", "+", "+shop", "+Shop", "+sh.op", "+a+b", "+é", "+ｓｈｏｐ"]) | st.from_regex(
    r"\+[a-z0-9а-яΑ-Ω+]{1,5}", fullmatch=True
)
DOMAINS = st.sampled_from(["example.com", "EXAMPLE.com", "gmail.com", "googlemail.com", "почта.рф", "exаmple.com"])


@st.composite
def addresses(draw: st.DrawFn) -> tuple[str, str]:
    """Two addresses, usually of one mailbox."""
    local, domain = draw(LOCALS), draw(DOMAINS)
    return f"{local}{draw(TAGS)}@{domain}", f"{local}{draw(TAGS)}@{domain}"


@settings(max_examples=100, deadline=None)
@given(st.sampled_from(sorted(PATHS)), addresses(), st.sampled_from(SETTINGS), st.sampled_from(SETTINGS))
def test_what_any_way_puts_on_the_list_binds_under_both_settings(
    path: str, texts: tuple[str, str], put: str, asked: str
) -> None:
    closed, other = world(put, *texts)
    PATHS[path](closed, later(20))
    assert is_closed(closed, asked), "who was put on the list is never opened by a setting"
    assert is_closed(closed, put)
    mailboxes = {found.normal for found in map(email_address, texts) if found is not None}
    alike = plus_tag(texts[0]) == plus_tag(texts[1])
    assert is_closed(other, asked) == (len(mailboxes) == 1 and (alike or not put == asked == "apart"))


@pytest.mark.parametrize("path", sorted(PATHS))
def test_apart_each_address_is_closed_for_itself(path: str) -> None:
    closed, plain, other = world("apart", "ana+shop@example.com", "ana@example.com", "ana+news@example.com")
    PATHS[path](closed, later(20))
    assert [is_closed(w, "apart") for w in (closed, plain, other)] == [True, False, False]
    assert [is_closed(w, "together") for w in (closed, plain, other)] == [True, True, True]
    assert "shop" not in repr(closed.store.suppressed(("", "", ""), 10))


def test_apart_soft_bounces_add_up_for_each_address() -> None:
    [ana] = world("apart", "ana@example.com")
    for _ in range(3):
        assert not note_soft_bounce(ana.store, "email", "ana+shop@example.com", later(2))
        assert not note_soft_bounce(ana.store, "email", "ana@example.com", later(2))


def test_whoever_takes_an_address_off_the_list_opens_no_other() -> None:
    shop, plain = world("apart", "ana+shop@example.com", "ana@example.com")
    for w in (shop, plain):
        _import(w, later(20))
    assert lift_suppressions(shop.store, "email", "ANA+Shop@example.com") == ("bounced",)
    assert [is_closed(w, "apart") for w in (shop, plain)] == [False, True]
    shop.store.deploy(index("together"), later(40))
    assert lift_suppressions(shop.store, "email", "ana+shop@example.com") == ("bounced",)
    assert not is_closed(plain, "together")


def test_an_exported_cause_of_one_address_closes_the_mailbox_elsewhere() -> None:
    [shop] = world("apart", "ana+shop@example.com")
    _import(shop, later(20))
    [entry] = shop.store.suppressed(("", "", ""), 10)
    row = {"channel": entry.channel, "address": entry.address, "cause": entry.cause}
    again = Suppressions(True, shop.store.salt)
    assert again.write(shop.store, again.made_of(row), later(21), False).taken == 0, "it stands there"
    [elsewhere] = world("apart", "ana+news@example.com")
    foreign = Suppressions(True, "another salt")
    foreign.write(elsewhere.store, foreign.made_of(row), later(21), False)
    assert is_closed(elsewhere, "apart")


def test_the_setting_is_told_by_the_project_and_other_channels_know_none() -> None:
    assert [keeps_apart(index(setting).project.channels) for setting in SETTINGS] == [False, True]
    assert not keeps_apart({}) and not kept_apart(MemoryStore(salt="salt"))
    assert put_as("stopped", "sms", "+351912345678", True, "salt") == "stopped"
    marked = put_as("suppressed", "email", "ana+shop@example.com", True, "salt")
    assert unmarked(marked) == "suppressed" and len(marked) <= 20, "the column is as wide"
    assert reasons({marked, "bounced"}, "email", "ana@example.com", True, "salt") == {"bounced"}
    found = email_address("Ana.Bell+Shop@gmail.com")
    assert found is not None
    assert [told_of("email", found, apart) for apart in (True, False)] == [
        "anabell+shop@gmail.com",
        "anabell@gmail.com",
    ]
