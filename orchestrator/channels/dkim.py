"""DKIM (RFC 6376; RFC 8463 for Ed25519): a mail carries a signature of the sender's domain over its headers and body.

Both canonicalisations are `relaxed`. Headers that mailboxes show or act on are signed once more often than they stand
there, so that nobody can add another one. Each key makes a signature of its own: those who do not know Ed25519 look at
the RSA one.
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Final, NoReturn

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from orchestrator.errors import UsageError

SIGNED: Final = (
    "From", "To", "Subject", "Date", "Reply-To", "Message-ID", "MIME-Version", "Content-Type",
    "Content-Transfer-Encoding", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post", "Feedback-ID",
    "Auto-Submitted", "X-Orchestrator-Message",
)  # fmt: skip
"""The headers that are signed, where they are there."""
OVERSIGNED: Final = (
    "From", "To", "Subject", "Date", "Reply-To", "Content-Type", "List-Id", "List-Unsubscribe", "List-Unsubscribe-Post",
)  # fmt: skip
"""Those that are signed once more: whoever adds one breaks the signature, also where there was none."""
LEAST_BITS: Final = 1024
MOST_KEYS: Final = 4

_name = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*").fullmatch


class DkimKey:
    """A private key and the selector under which its public half stands in the DNS."""

    def __init__(self, selector: str, key: RSAPrivateKey | Ed25519PrivateKey) -> None:
        self.selector = selector
        self.key = key
        self.algorithm = "rsa-sha256" if isinstance(key, RSAPrivateKey) else "ed25519-sha256"

    def sign(self, data: bytes) -> bytes:
        """The signature over the canonical headers; Ed25519 signs their hash (RFC 8463, section 3)."""
        if isinstance(self.key, RSAPrivateKey):
            return self.key.sign(data, PKCS1v15(), hashes.SHA256())
        return self.key.sign(sha256(data).digest())

    def record(self) -> str:
        """The TXT record that belongs at `<selector>._domainkey.<domain>`."""
        public = self.key.public_key()
        if isinstance(self.key, RSAPrivateKey):
            coded = b64encode(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
            return f"v=DKIM1; k=rsa; p={coded.decode()}"
        return f"v=DKIM1; k=ed25519; p={b64encode(public.public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()}"


def read_keys(given: str, base_dir: Path) -> tuple[DkimKey, ...]:
    """The keys of an option `dkim=selector:FILE,selector:FILE`; files lie below `base_dir`. Raises UsageError."""
    parts = [part for part in given.split(",") if part.strip()]
    if not 1 <= len(parts) <= MOST_KEYS:
        _refuse(given, f"from 1 to {MOST_KEYS} keys, such as dkim=mail:dkim.pem")
    keys = tuple(_read_key(part.strip(), base_dir) for part in parts)
    if len({key.selector for key in keys}) < len(keys):
        _refuse(given, "another selector for each key, as each has a DNS record of its own")
    return keys


def _read_key(given: str, base_dir: Path) -> DkimKey:
    selector, colon, file = given.partition(":")
    if not colon or not _name(selector) or not file:
        _refuse(given, "selector:FILE, such as dkim=mail:dkim.pem")
    try:
        key = load_pem_private_key((base_dir / file).read_bytes(), None)
    except OSError as error:
        _refuse(given, f"a file with a private key ({error.strerror or error})")
    except (ValueError, TypeError):  # TypeError: it is encrypted
        _refuse(given, "a private key in PEM, without a password; `openssl genrsa -out dkim.pem 2048` makes one")
    except Exception as error:  # an algorithm that the library does not know
        _refuse(given, f"an RSA or Ed25519 key ({error})")
    if isinstance(key, RSAPrivateKey) and key.key_size < LEAST_BITS:
        _refuse(given, f"an RSA key of 2048 bits; mailboxes ignore those below {LEAST_BITS}, and it has {key.key_size}")
    if not isinstance(key, (RSAPrivateKey, Ed25519PrivateKey)):
        _refuse(given, "an RSA or Ed25519 key")
    return DkimKey(selector, key)


def _refuse(given: str, expected: str) -> NoReturn:
    raise UsageError(f"the address of the mail server says dkim={given[:80]}; expected {expected}", "bad_setting")


def signed(data: bytes, domain: str, keys: Iterable[DkimKey], at: int) -> bytes:
    """The mail with a signature of each key before it. `data` has CR LF at its line ends; `domain` is the sender's, in
    ASCII; `at` is the instant that the signature says, in seconds since 1970."""
    head, _, body = data.partition(b"\r\n\r\n")
    fields = _fields(head + b"\r\n")
    names, covered = _covered(fields)
    body_hash = b64encode(sha256(relaxed_body(body)).digest()).decode()
    made = [_signature(key, domain, names, covered, body_hash, at) for key in keys]
    return b"".join([*made, data])


def _signature(key: DkimKey, domain: str, names: str, covered: bytes, body_hash: str, at: int) -> bytes:
    tags = (
        f"v=1; a={key.algorithm}; c=relaxed/relaxed; d={domain};\r\n s={key.selector}; t={at}; h={names};\r\n"
        f" bh={body_hash};\r\n b="
    ).encode()
    data = key.sign(covered + _relaxed(b"DKIM-Signature", tags)[:-2])
    coded = b64encode(data)
    lines = [coded[place : place + 72] for place in range(0, len(coded), 72)]
    return b"DKIM-Signature: " + tags + b"\r\n ".join(lines) + b"\r\n"


def _covered(fields: Sequence[tuple[str, bytes]]) -> tuple[str, bytes]:
    """The value of `h=`, folded, and the headers that it names as they are signed."""
    there = {name.lower(): relaxed for name, relaxed in fields}
    present = [name for name in SIGNED if name.lower() in there]
    listed = [*present, *OVERSIGNED]
    text, width = "", 70
    for name in listed:
        if text:
            text += ":"
        if len(name) + 1 > width:
            text, width = f"{text}\r\n  ", 72
        text += name
        width -= len(name) + 1
    return text, b"".join([there[name.lower()] for name in present])


def _fields(head: bytes) -> list[tuple[str, bytes]]:
    """Name and relaxed form of each header."""
    found = []
    for line in head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t").split(b"\r\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.append((name.decode("ascii", "replace"), _relaxed(name, value)))
    return found


def _relaxed(name: bytes, value: bytes) -> bytes:
    return name.strip().lower() + b":" + b" ".join(value.split()) + b"\r\n"


def relaxed_body(body: bytes) -> bytes:
    """The body as it is hashed: blanks run together and none at line ends, no empty lines at its end (RFC 6376,
    section 3.4.4)."""
    if body and not body.endswith(b"\r\n"):
        body += b"\r\n"
    body = body.replace(b"\t", b" ")
    while b"  " in body:  # each pass halves the runs, and takes a tenth of what a regular expression does
        body = body.replace(b"  ", b" ")
    body = body.replace(b" \r\n", b"\r\n")
    end = len(body)
    while end >= 2 and body[end - 2 : end] == b"\r\n" and (end == 2 or body[end - 4 : end - 2] == b"\r\n"):
        end -= 2
    return body[:end]
