"""Personal data as a database keeps it: sealed with AES-256-GCM by keys that can be changed while everything runs.

A sealed text is `~1KEY.BASE64`: the version, the id of the key, and behind the point the nonce (96 random bits) with
the cipher text. Table, column and row are its associated data: a value that is moved to another row does not open.

What is looked up by its value, an address, is a *mark* instead: `~=BASE64`, AES-SIV (RFC 5297) under the database's own
look-up key, the same for the same value. The look-up key is random, made once, and kept in the database sealed by the
data keys: those rotate without a change to any mark.
"""

from __future__ import annotations

import os
import re
from binascii import Error as BadBase64
from binascii import a2b_base64, b2a_base64
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, AESSIV

from orchestrator.core.data_keys import KEY, DataKeys
from orchestrator.errors import UsageError

SEALED: Final = "~"
"""Before everything that is sealed. No JSON text begins so."""
LOOKUP: Final = "lookup_key"
"""The name in `meta` of the sealed look-up key."""
ROTATED: Final = "rotated_to"
"""The name in `meta` of the id of the key to which a rotation last came to its end."""
CLOSED: Final = "sealed"
"""Why a customer is parked of whom something cannot be opened."""
_TOKEN: Final = re.compile(r"~1([A-Za-z0-9_-]{1,32})\.([A-Za-z0-9+/]+={0,2})\Z")
_MARK: Final = re.compile(r"~=([A-Za-z0-9+/]+={0,2})\Z")
HASHED: Final = "~#"
"""Before a mark that cannot be read back, because the value is too long for its column."""
_NONCE: Final = 12
_LONGEST_MARKED: Final = 270
"""Bytes of a value whose mark fits into a column of 400 characters."""
_VARIABLE: Final = "ORCHESTRATOR_DATA_KEYS"


class Unopened(UsageError):
    """A sealed value that cannot be read. `key_id`: the key that is missing; None: no key opens it."""

    def __init__(self, message: str, key_id: str | None = None) -> None:
        super().__init__(message, "sealed")
        self.key_id = key_id


class Sealer(Protocol):
    """What stands between rows and the database. `seals`: whether what is written is sealed."""

    seals: bool

    def seal(self, context: str, text: str) -> str:
        """A text as its column keeps it. `context`: table, column and row, as whoever reads it knows them."""

    def open(self, context: str, text: str) -> str:
        """The text of a column, sealed or not. Raises Unopened."""

    def mark(self, value: str) -> str:
        """A value that is looked up, as its column keeps it from now on."""

    def marks(self, value: str) -> tuple[str, ...]:
        """Everything as which a value may stand in its column, first as it is written now."""

    def unmark(self, value: str) -> str:
        """The value of a column that is looked up; one that cannot be read back stands as it is."""


class NoSealer:
    """A database whose installation has no data keys: every text stands as it is."""

    seals = False

    def seal(self, context: str, text: str) -> str:
        """The text."""
        return text

    def open(self, context: str, text: str) -> str:
        """The text. Raises Unopened for one that is sealed."""
        if text.startswith(SEALED):
            raise _missing(context, _TOKEN.match(text))
        return text

    def mark(self, value: str) -> str:
        """The value."""
        return value

    def marks(self, value: str) -> tuple[str, ...]:
        """The value."""
        return (value,)

    def unmark(self, value: str) -> str:
        """The value."""
        return value


PLAIN: Final = NoSealer()


class KeyRing:
    """The data keys of an installation, and the look-up key of one database."""

    def __init__(self, keys: DataKeys, lookup_key: bytes) -> None:
        self.sealing = keys.sealing
        self.seals = keys.sealing is not None
        self._ciphers = {id: AESGCM(key) for id, key in keys.keys.items()}
        self._cipher = self._ciphers[keys.sealing] if keys.sealing is not None else None
        self._begin = f"{SEALED}1{keys.sealing}."
        self._siv = AESSIV(lookup_key)
        self._lookup_key = lookup_key

    @property
    def ids(self) -> frozenset[str]:
        """The ids of all keys."""
        return frozenset(self._ciphers)

    @property
    def begin(self) -> str:
        """With what texts begin that are sealed as new ones are."""
        return self._begin

    def seal(self, context: str, text: str) -> str:
        """See Sealer. The same text never looks the same twice."""
        if self._cipher is None:
            return text
        nonce = os.urandom(_NONCE)  # asked each time: a process that forks must not repeat what it had in stock
        sealed = self._cipher.encrypt(nonce, text.encode("utf-8", "surrogatepass"), context.encode())
        return self._begin + b2a_base64(nonce + sealed, newline=False).decode()

    def open(self, context: str, text: str) -> str:
        """See Sealer."""
        if not text.startswith(SEALED):
            return text
        id, _, encoded = text[2:].partition(".")
        cipher = self._ciphers.get(id)
        if cipher is None:
            raise _missing(context, _TOKEN.match(text))
        try:
            data = a2b_base64(encoded)
            return cipher.decrypt(data[:_NONCE], data[_NONCE:], context.encode()).decode("utf-8", "surrogatepass")
        except (InvalidTag, BadBase64, ValueError) as error:
            raise Unopened(
                f"{_place(context)} was changed, or moved from another row: the key '{id}' does not open it. "
                "Restore the row from a backup, or erase it"
            ) from error

    def mark(self, value: str) -> str:
        """See Sealer. A hashed entry of the suppression list names nobody already, but is marked as any other value."""
        return self._marked(value) if self.seals and value else value

    def _marked(self, value: str) -> str:
        data = value.encode("utf-8", "surrogatepass")
        if len(data) > _LONGEST_MARKED:
            return HASHED + blake2b(data, key=self._lookup_key, digest_size=32).hexdigest()
        return f"{SEALED}={b2a_base64(self._siv.encrypt(data or b' ', [b'mark']), newline=False).decode()}"

    def marks(self, value: str) -> tuple[str, ...]:
        """See Sealer: plain, too, for rows that were written before there were keys."""
        if not value:
            return (value,)
        return (self._marked(value), value) if self.seals else (value, self._marked(value))

    def unmark(self, value: str) -> str:
        """See Sealer."""
        found = _MARK.match(value)
        if found is None:
            return value
        try:
            return self._siv.decrypt(a2b_base64(found[1]), [b"mark"]).decode("utf-8", "surrogatepass")
        except (InvalidTag, BadBase64, ValueError):
            return value


def sealer_of(connection: Any) -> Sealer:
    """The sealer of the store that a connection belongs to."""
    return getattr(connection, "sealer", PLAIN)


def key_of(text: str) -> str | None:
    """The id of the key that sealed a text; None: it is not sealed."""
    found = _TOKEN.match(text) if text.startswith(SEALED) else None
    return found[1] if found is not None else None


def told(text: str) -> str:
    """A text that somebody outside wrote, so that it is never taken for a sealed one."""
    return f" {text}" if text.startswith(SEALED) else text


def shown(sealer: Sealer, context: str, text: str | None) -> str:
    """A text that people are shown: one that cannot be opened says so, and holds up nobody."""
    try:
        return sealer.open(context, text) if text else ""
    except Unopened as error:
        return f"({error})"


def ring_of(keys: DataKeys | None, kept: str | None, keep: Callable[[str], str]) -> Sealer:
    """The sealer of a database. `kept`: its sealed look-up key, as `meta` has it; `keep` writes one where there is none
    yet, and returns what stands there then. Raises UsageError where the keys do not fit the database."""
    if keys is None:
        if kept is None:
            return PLAIN
        raise UsageError(
            f"this database is sealed, and {_VARIABLE} is not set; set it to the keys that it was sealed with "
            f"(the look-up key with '{key_of(kept)}')",
            "no_data_keys",
        )
    first = KeyRing(keys, bytes(2 * KEY))
    if kept is None:
        if keys.sealing is None:
            return first  # nothing is sealed, and nothing will be
        kept = keep(first.seal(f"meta.{LOOKUP}", b2a_base64(os.urandom(2 * KEY), newline=False).decode()))
    return KeyRing(keys, a2b_base64(first.open(f"meta.{LOOKUP}", kept)))


def _missing(context: str, token: re.Match[str] | None) -> Unopened:
    if token is None:
        return Unopened(f"{_place(context)} is neither readable nor sealed by this version; restore it from a backup")
    return Unopened(
        f"{_place(context)} is sealed with the key '{token[1]}', which {_VARIABLE} does not name; add that key again",
        token[1],
    )


def _place(context: str) -> str:
    column, _, row = context.partition(":")
    return f"{column} of row {row}" if row else column
