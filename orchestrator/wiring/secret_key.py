"""The key that signs links: from the settings, else made once and kept beside the database, for its owner alone."""

from __future__ import annotations

import os
import secrets
import stat
from pathlib import Path
from typing import Final

from orchestrator.errors import UsageError
from orchestrator.settings import Settings

ENDING: Final = ".secret"
SHORTEST: Final = 32


def key_path(database: Path) -> Path:
    """Where the key of a database is kept."""
    return database.with_name(database.name + ENDING)


def secret_of(settings: Settings, database: Path | None) -> bytes:
    """The key. Made beside a SQLite file where there is none yet; the same one ever after, for every process of the
    installation. Raises UsageError for other databases (None), where the settings have to give it."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value().encode()
    if database is None:
        raise UsageError(
            "ORCHESTRATOR_SECRET_KEY is not set, and with PostgreSQL all processes need the same one; make one with "
            "`openssl rand -base64 48`, and keep it: it signs the links in mails that were sent",
            "no_secret_key",
        )
    path = key_path(database)
    _make(path)
    key = path.read_bytes().strip()
    if len(key) < SHORTEST:
        raise UsageError(
            f"{path} holds no usable key; put the right one back (a backup has it). A new one, after deleting the "
            "file, makes every link in mails sent so far worthless",
            "bad_secret",
        )
    return key


def too_open(path: Path) -> bool:
    """Whether others than the owner may read the key."""
    return path.exists() and bool(stat.S_IMODE(path.stat().st_mode) & 0o077)


def _make(path: Path) -> None:
    """Write a new key where there is none: whole or not at all, and never over one that another process has made."""
    if path.exists():
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(file, secrets.token_urlsafe(48).encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
