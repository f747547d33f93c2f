"""Where mails come back to: an IMAP folder or a Maildir, each mail of which is read and then put away exactly once.

    imaps://user:password@mail.example.com/INBOX?every=60&done=Read
    imap://user:password@localhost:1143/INBOX?starttls=yes
    maildir:/var/mail/bounces?every=30

A mail is put away after what it says was committed; whoever is interrupted between the two reads it again, and finds
that it is known. What cannot be read is put aside (a Maildir: flagged, IMAP: flagged) and stays to be looked at.
"""

from __future__ import annotations

import imaplib
import os
import re
import ssl
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final, NamedTuple, NoReturn, Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from orchestrator.channels.bounces.reading import LARGEST
from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.errors import UsageError

TIMEOUT: Final = 20.0
"""Real seconds that a mail server has for an answer."""
EVERY: Final = 60.0
AT_ONCE: Final = 200
"""Mails of one pass."""
_OPTIONS: Final = {"imaps": ("every", "done"), "imap": ("every", "done", "starttls"), "maildir": ("every",)}


class MailboxFailed(Exception):
    """The mailbox cannot be read just now; the text says why, without the password."""


class Found(NamedTuple):
    """A mail in a mailbox: by which name it is put away, and its bytes (at most LARGEST)."""

    name: str
    data: bytes


class Mailbox(Protocol):
    """An open mailbox. Not for several threads."""

    def unread(self, limit: int) -> Iterator[Found]:
        """At most `limit` mails that were not put away or aside yet, the oldest first. Raises MailboxFailed."""

    def put_away(self, name: str) -> None:
        """It was read, and what follows from it is committed. Raises MailboxFailed."""

    def put_aside(self, name: str) -> None:
        """It cannot be read: it stays, is not looked at again, and people find it marked. Raises MailboxFailed."""

    def close(self) -> None:
        """Give back the connection; may be called twice."""


class Place(NamedTuple):
    """A mailbox that a URL names. `every`: real seconds between two looks."""

    scheme: str
    shown: str
    every: float
    folder: str
    host: str = ""
    port: int = 0
    user: str = ""
    password: str = ""
    done: str | None = None
    starttls: bool = False

    def open(self) -> Mailbox:
        """Raises MailboxFailed."""
        return Maildir(Path(self.folder)) if self.scheme == "maildir" else ImapFolder(self)


def place_of(url: str, base_dir: Path) -> Place:
    """The mailbox of ORCHESTRATOR_BOUNCE_URL; relative folders lie below `base_dir`. Raises UsageError."""
    try:
        parts = urlsplit(url.strip())
        _ = parts.port
    except ValueError:
        _refuse("cannot be read; expected imaps://user:password@host/INBOX or maildir:/folder")
    scheme = parts.scheme
    if scheme not in _OPTIONS:
        near = did_you_mean(f"{scheme}:", [f"{name}:" for name in _OPTIONS]) if scheme else None
        _refuse(f"begins with '{scheme}:'; {near or 'expected imaps:, imap: or maildir:'}")
    given: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in _OPTIONS[scheme]:
            known = ", ".join(_OPTIONS[scheme])
            _refuse(f"has no option '{name[:40]}'; {did_you_mean(name, _OPTIONS[scheme]) or f'possible are {known}'}")
        given[name] = value
    every = _seconds(given.get("every"))
    path = unquote(parts.path)
    if scheme == "maildir":
        if not path or parts.netloc:
            _refuse("names no folder; write maildir:/var/mail/bounces")
        return Place(scheme, f"maildir:{path}", every, str(base_dir / path))
    user, password = unquote(parts.username or ""), unquote(parts.password or "")
    if not parts.hostname or not user or not password:
        _refuse(f"lacks a user, a password or a host; write {scheme}://user:password@host/INBOX")
    folder = path.strip("/") or "INBOX"
    for what, text in (("folder", folder), ("option done", given.get("done", "x"))):
        if not text or not text.isascii() or not text.isprintable() or '"' in text or "\\" in text:
            _refuse(f"has a {what} that cannot be used; write letters without accents, such as INBOX")
    starttls = (
        given.get("starttls", "yes") == "yes" and scheme == "imap" and parts.hostname not in ("localhost", "127.0.0.1")
    )
    port = parts.port or (993 if scheme == "imaps" else 143)
    shown = f"{scheme}://{user}@{parts.hostname}/{folder}"
    return Place(scheme, shown, every, folder, parts.hostname or "", port, user, password, given.get("done"), starttls)


def _seconds(text: str | None) -> float:
    if text is None:
        return EVERY
    try:
        seconds = float(text.removesuffix("s"))
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 86_400:
        _refuse(f"says every={text[:20]}; expected seconds from 1 to 86400")
    return seconds


def _refuse(why: str) -> NoReturn:
    raise UsageError(f"ORCHESTRATOR_BOUNCE_URL {why}", "bad_setting")


class Maildir:
    """A Maildir folder (`new` and `cur`): what was read is moved to `cur` with the flag S, what cannot be read gets F.

    Nothing is ever deleted: whoever owns the folder decides how long mails are kept.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        if not (folder / "new").is_dir() or not (folder / "cur").is_dir():
            raise MailboxFailed(f"{folder} is no Maildir: it has no folders `new` and `cur`")

    def unread(self, limit: int) -> Iterator[Found]:
        """Mails in `new`, and those in `cur` that have neither flag."""
        try:
            waiting = [f"new/{path.name}" for path in (self._folder / "new").iterdir() if _is_mail(path)]
            waiting += [
                f"cur/{path.name}" for path in (self._folder / "cur").iterdir() if _is_mail(path) and not _flagged(path)
            ]
        except OSError as error:
            raise MailboxFailed(f"{self._folder} cannot be read: {error}") from None
        for name in sorted(waiting, key=lambda name: name.partition("/")[2])[:limit]:
            try:
                with (self._folder / name).open("rb") as file:
                    yield Found(name, file.read(LARGEST))
            except FileNotFoundError:
                continue  # another reader was first
            except OSError as error:
                raise MailboxFailed(f"{name} cannot be read: {error}") from None

    def put_away(self, name: str) -> None:
        """Moved to `cur`, seen."""
        self._move(name, "S")

    def put_aside(self, name: str) -> None:
        """Moved to `cur`, flagged."""
        self._move(name, "FS")

    def close(self) -> None:
        """Nothing is open."""

    def _move(self, name: str, flags: str) -> None:
        base = name.partition("/")[2].partition(":2,")[0]
        try:
            os.rename(self._folder / name, self._folder / "cur" / f"{base}:2,{flags}")
        except FileNotFoundError:
            pass
        except OSError as error:
            raise MailboxFailed(f"{name} cannot be put away: {error}") from None


def _is_mail(path: Path) -> bool:
    return not path.name.startswith(".") and path.is_file()


def _flagged(path: Path) -> bool:
    return bool(set(path.name.partition(":2,")[2]) & {"S", "F"})


class ImapFolder:
    """A folder over IMAP: what was read is moved to the folder `done` where one is given, else flagged \\Seen; what
    cannot be read is flagged \\Seen and \\Flagged."""

    def __init__(self, place: Place) -> None:
        self._place = place
        try:
            self._client = _client(place)
        except (OSError, imaplib.IMAP4.error, ValueError) as error:
            raise MailboxFailed(f"{place.shown}: {_words(error, place)}") from None
        try:
            self._client.login(place.user, place.password)
            answer, said = self._client.select(f'"{place.folder}"')
        except (OSError, imaplib.IMAP4.error, ValueError) as error:
            self.close()
            raise MailboxFailed(f"{place.shown}: {_words(error, place)}") from None
        if answer != "OK":
            self.close()
            raise MailboxFailed(f"{place.shown}: the folder cannot be opened: {_text(said)}")

    def unread(self, limit: int) -> Iterator[Found]:
        """Mails without \\Seen, by their UIDs."""
        for uid in self._search()[:limit]:
            data = self._fetch(uid)
            if data is not None:
                yield Found(uid, data)

    def put_away(self, name: str) -> None:
        """Moved, or seen."""
        self._flag(name, r"(\Seen)")
        if self._place.done is not None:
            done = f'"{self._place.done}"'
            if "MOVE" in self._client.capabilities:
                self._ask("MOVE", name, done)
            else:
                self._ask("COPY", name, done)
                self._flag(name, r"(\Deleted)")
                with suppress(imaplib.IMAP4.error, OSError):
                    self._client.expunge()

    def put_aside(self, name: str) -> None:
        """Seen, and flagged for people."""
        self._flag(name, r"(\Seen \Flagged)")

    def close(self) -> None:
        """Say goodbye."""
        with suppress(OSError, imaplib.IMAP4.error):
            self._client.logout()
        with suppress(OSError):
            self._client.shutdown()

    def _search(self) -> list[str]:
        [found, *_] = self._ask("SEARCH", None, "UNSEEN") or [b""]
        text = found.decode("ascii", "replace") if isinstance(found, bytes) else ""
        return [uid for uid in text.split() if uid.isascii() and uid.isdigit()]

    def _fetch(self, uid: str) -> bytes | None:
        for item in self._ask("FETCH", uid, f"(BODY.PEEK[]<0.{LARGEST}>)"):
            if isinstance(item, tuple) and len(item) == 2 and isinstance(item[1], bytes):
                return item[1][:LARGEST]
        return None

    def _flag(self, uid: str, flags: str) -> None:
        self._ask("STORE", uid, f"+FLAGS.SILENT {flags}")

    def _ask(self, command: str, uid: str | None, rest: str) -> Sequence[object]:
        try:
            answer, said = self._client.uid(command, *([uid] if uid is not None else []), *re.split(r" (?=\()", rest))
        except (OSError, imaplib.IMAP4.error, ValueError) as error:
            raise MailboxFailed(f"{self._place.shown}: {_words(error, self._place)}") from None
        if answer != "OK":
            raise MailboxFailed(f"{self._place.shown}: {command} was refused: {_text(said)}")
        return list(said or [])


def _client(place: Place) -> imaplib.IMAP4:
    if place.scheme == "imaps":
        context = ssl.create_default_context()
        return imaplib.IMAP4_SSL(place.host, place.port, ssl_context=context, timeout=TIMEOUT)
    client = imaplib.IMAP4(place.host, place.port, timeout=TIMEOUT)
    if place.starttls:
        client.starttls(ssl.create_default_context())
    return client


def _words(error: Exception, place: Place) -> str:
    return (str(error) or type(error).__name__).replace(place.password, "***")[:300]


def _text(said: object) -> str:
    first = said[0] if isinstance(said, list) and said else b""
    return first.decode("utf-8", "replace")[:200] if isinstance(first, bytes) else str(first)[:200]
