"""What `backup` and `restore` share: where the database is. Python's own library is all that they need."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn
from urllib.parse import parse_qsl, unquote, urlsplit

_VARIABLES = {
    "host": "PGHOST",
    "port": "PGPORT",
    "user": "PGUSER",
    "password": "PGPASSWORD",
    "dbname": "PGDATABASE",
    "sslmode": "PGSSLMODE",
    "sslrootcert": "PGSSLROOTCERT",
    "sslcert": "PGSSLCERT",
    "sslkey": "PGSSLKEY",
    "options": "PGOPTIONS",
    "connect_timeout": "PGCONNECT_TIMEOUT",
    "target_session_attrs": "PGTARGETSESSIONATTRS",
}


def refuse(message: str) -> NoReturn:
    """End with a sentence for whoever called."""
    print(f"{Path(sys.argv[0]).name}: {message}", file=sys.stderr)
    raise SystemExit(2)


def database_url() -> str:
    """The installation's database."""
    url = os.environ.get("ORCHESTRATOR_DATABASE_URL")
    if not url:
        refuse("ORCHESTRATOR_DATABASE_URL is not set; it names the database, as for all processes")
    return url


def sqlite_file(url: str) -> Path | None:
    """The file of a SQLite URL; None for PostgreSQL."""
    parts = urlsplit(url)
    if parts.scheme.startswith("sqlite"):
        return Path(unquote(parts.path[1:]))
    if not parts.scheme.startswith("postgresql"):
        refuse(f"the database is neither sqlite:/// nor postgresql:// ({parts.scheme}:)")
    return None


def libpq(url: str) -> dict[str, str]:
    """The environment under which PostgreSQL's programs reach it: no password stands in the list of processes."""
    parts = urlsplit(url)
    given = {
        "host": unquote(parts.hostname or ""),
        "port": str(parts.port or ""),
        "user": unquote(parts.username or ""),
        "password": unquote(parts.password or ""),
        "dbname": unquote(parts.path[1:]),
        **dict(parse_qsl(parts.query)),
    }
    known = {_VARIABLES[name]: value for name, value in given.items() if name in _VARIABLES and value}
    return {**os.environ, **known}


def run(words: list[str], environment: dict[str, str], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program; whatever it refuses ends this one."""
    if shutil.which(words[0], path=environment.get("PATH")) is None:
        refuse(f"{words[0]} is not installed, or not in PATH")
    done: subprocess.CompletedProcess[str] = subprocess.run(words, env=environment, text=True, check=False, **options)  # type: ignore[call-overload]
    if done.returncode != 0:
        refuse(f"{words[0]} ended with {done.returncode}; see above")
    return done
