"""Mailboxes: what their URLs may say, and that each mail is read, put away or put aside once."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchestrator.channels.bounces.mailbox import Found, MailboxFailed, Maildir, Place, place_of
from orchestrator.channels.bounces.reading import LARGEST
from orchestrator.errors import UsageError
from tests.channels.bounces.imap_server import ImapServer, serving


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("new", "cur", "tmp"):
        (tmp_path / name).mkdir()
    return tmp_path


def test_urls() -> None:
    place = place_of("imaps://ana%40b.example:p%40ss@mail.b.example/Bounces?every=30s&done=Read", Path("/p"))
    assert (place.host, place.port, place.user, place.password) == ("mail.b.example", 993, "ana@b.example", "p@ss")
    assert (place.folder, place.every, place.done, place.starttls) == ("Bounces", 30.0, "Read", False)
    assert "p@ss" not in place.shown
    assert place_of("imap://u:p@mail.b.example", Path("/p")).starttls
    assert not place_of("imap://u:p@localhost:1143", Path("/p")).starttls
    assert place_of("maildir:mails", Path("/p")).folder == "/p/mails"
    assert place_of("maildir:/var/mails?every=5", Path("/p"))[:4] == (
        "maildir",
        "maildir:/var/mails",
        5.0,
        "/var/mails",
    )


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("imap:", "lacks a user"),
        ("imaps://mail.example/INBOX", "lacks a user"),
        ("pop3://u:p@mail.example", "begins with 'pop3:'"),
        ("mbox:/var/mail", "expected imaps:"),
        ("maildir:", "names no folder"),
        ("maildir://host/x", "names no folder"),
        ("imaps://u:p@h/INBOX?evry=3", "did you mean 'every'"),
        ("imaps://u:p@h/INBOX?every=0", "seconds from 1"),
        ("imaps://u:p@h/INBOX?every=soon", "seconds from 1"),
        ("imaps://u:p@h/IN%22BOX", "cannot be used"),
        ("imaps://u:p@h/IN%0D%0ABOX", "cannot be used"),
        ("imaps://u:p@h/INBOX?done=a%22b", "cannot be used"),
        ("imaps://u:p@h:port/INBOX", "cannot be read"),
    ],
)
def test_urls_that_cannot_be_used(url: str, told: str) -> None:
    with pytest.raises(UsageError, match="ORCHESTRATOR_BOUNCE_URL") as caught:
        place_of(url, Path("/p"))
    assert told in str(caught.value)
    assert "p@h" not in str(caught.value)


def test_a_maildir_gives_each_mail_once(folder: Path) -> None:
    for number, mail in enumerate([b"one", b"two", b"three" * LARGEST]):
        (folder / "new" / f"{number}.host").write_bytes(mail)
    (folder / "cur" / "9.host:2,").write_bytes(b"looked at by a mail program")
    (folder / "cur" / "8.host:2,S").write_bytes(b"read")
    (folder / "new" / ".hidden").write_bytes(b"")
    box = Maildir(folder)
    first, second, third, fourth = box.unread(10)
    assert first == Found("new/0.host", b"one")
    assert len(third.data) == LARGEST
    assert fourth.name == "cur/9.host:2,"
    box.put_away(first.name)
    box.put_aside(second.name)
    box.put_away(fourth.name)
    box.put_away("new/gone")
    assert [found.name for found in box.unread(10)] == ["new/2.host"]
    kept = {path.name for path in (folder / "cur").iterdir()}
    assert kept == {"0.host:2,S", "1.host:2,FS", "8.host:2,S", "9.host:2,S"}
    assert [found.name for found in box.unread(0)] == []
    box.close()


def test_no_maildir(tmp_path: Path) -> None:
    with pytest.raises(MailboxFailed, match="no Maildir"):
        Maildir(tmp_path)


def place(server: ImapServer, more: str = "", password: str = "right") -> Place:
    return place_of(f"imap://ana:{password}@127.0.0.1:{server.port}/INBOX{more}", Path("/p"))


def test_imap_reads_flags_and_leaves_what_was_not_reached() -> None:
    with serving(ImapServer(b"one\r\n", b"two (really)\r\n", b"three")) as server:
        box = place(server).open()
        found = list(box.unread(2))
        assert found == [Found("1", b"one\r\n"), Found("2", b"two (really)\r\n")]
        box.put_away("1")
        box.put_aside("2")
        box.close()
        box.close()
        assert server.flags == {1: {"\\Seen"}, 2: {"\\Seen", "\\Flagged"}, 3: set()}
        again = place(server).open()
        assert [mail.name for mail in again.unread(10)] == ["3"]
        again.close()


@pytest.mark.parametrize("moves", [True, False])
def test_imap_moves_what_was_read(moves: bool) -> None:
    with serving(ImapServer(b"one", moves=moves)) as server:
        box = place(server, "?done=Read").open()
        box.put_away("1")
        box.close()
        assert server.moved == {"Read": [1]}
        assert moves or server.flags[1] == {"\\Seen", "\\Deleted"}


def test_imap_that_does_not_work_says_why_and_no_password() -> None:
    with serving(ImapServer(b"one")) as server:
        with pytest.raises(MailboxFailed, match="wrong password") as caught:
            place(server, password="wrong-secret").open()
        assert "wrong-secret" not in str(caught.value)
        server.refuses = {"SELECT"}
        with pytest.raises(MailboxFailed, match="cannot be opened"):
            place(server).open()
        server.refuses = {"SEARCH"}
        box = place(server).open()
        with pytest.raises(MailboxFailed, match="SEARCH was refused"):
            list(box.unread(1))
        box.close()
        gone = place(server)
    with pytest.raises(MailboxFailed, match="ana@127"):
        gone.open()
