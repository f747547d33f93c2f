"""From URLs to stores, the secret key, what is sent where, and who may send events."""

from __future__ import annotations

import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest

from orchestrator.errors import UsageError
from orchestrator.settings import read_settings
from orchestrator.stores.memory import MemoryStore
from orchestrator.wiring.databases import (
    Database,
    database_at,
    database_of,
    one_transaction,
    open_database,
    pending_of,
    simulation_store,
    upgrade_database,
)
from orchestrator.wiring.installation import installation, settings_of
from orchestrator.wiring.outside import kept_here, reached
from orchestrator.wiring.secret_key import key_path, secret_of, too_open
from orchestrator.wiring.serving import is_loopback, refuse_open_door


@pytest.fixture(autouse=True)
def _no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("ORCHESTRATOR_")]:
        monkeypatch.delenv(name)


@pytest.mark.parametrize(
    ("url", "path"),
    [
        ("memory://", None),
        ("sqlite:///x.db", Path("x.db")),
        ("sqlite:////var/lib/x.db", Path("/var/lib/x.db")),
        ("sqlite:///a%20b/x", Path("a b/x")),
        ("folder/x.sqlite3", Path("folder/x.sqlite3")),
        ("/tmp/x.DB", Path("/tmp/x.DB")),
    ],
)
def test_urls_and_paths_of_databases(url: str, path: Path | None) -> None:
    assert database_at(url) == Database(path)


@pytest.mark.parametrize(
    "url",
    [
        "sqlite://x.db",
        "sqlite:x.db",
        "sqlite:///",
        "sqlite:///:memory:",
        "sqlite:///x.db?mode=ro",
        "nonsense",
        "http://[",
        "postgresql://u:secret@db",
        "mysql://u:secret@db/x",
    ],
)
def test_what_names_no_database_is_refused_with_what_is_possible(url: str) -> None:
    with pytest.raises(UsageError, match=r"memory://|three slashes") as refused:
        database_at(url, "--store")
    assert "secret" not in str(refused.value) and str(refused.value).startswith("--store is")


def test_the_default_lies_in_the_project(tmp_path: Path) -> None:
    assert database_of(read_settings(), tmp_path).path == tmp_path / ".orchestrator" / "orchestrator.db"
    assert settings_of("x.db").database_url == "sqlite:///x.db"


def test_urls_of_the_command_line_come_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_DATABASE_URL", "sqlite:///env.db")
    assert settings_of("sqlite:///line.db").database_url == "sqlite:///line.db"
    assert settings_of().database_url == "sqlite:///env.db"


def test_a_database_is_opened_when_it_is_there(tmp_path: Path) -> None:
    place = Database(tmp_path / "deep" / "x.db")
    with pytest.raises(UsageError, match="there is no database"):
        open_database(place)
    assert pending_of(place)
    assert upgrade_database(place) and not pending_of(place) and not upgrade_database(place)
    open_database(place).close()
    with pytest.raises(UsageError, match="nothing is deployed"), installation(tmp_path, str(place.path)) as found:
        found.adopt()
    with pytest.raises(UsageError, match="needs a database that stays"), installation(tmp_path, "memory://"):
        pass


def test_together_means_all_or_nothing(tmp_path: Path) -> None:
    place = Database(tmp_path / "x.db")
    upgrade_database(place)
    store = open_database(place)
    with suppress(ZeroDivisionError), one_transaction(store):
        assert store.tally("a") == 1
        raise ZeroDivisionError
    with one_transaction(store):
        assert store.tally("a") == 1
        assert store.tally("b") == 1
    assert store.tally("a") == 2
    store.close()
    with one_transaction(MemoryStore()):
        pass


def test_a_simulations_store_is_made_and_closed(tmp_path: Path) -> None:
    with simulation_store(None) as found:
        assert found is None
    with simulation_store(f"sqlite:///{tmp_path}/s.db") as opening:
        assert opening is not None
        assert opening(None, {}).salt == "0", "as in memory"
    with simulation_store(f"sqlite:///{tmp_path}/s.db") as opening:
        assert opening is not None
        assert opening("7", {}).salt == "7"


def test_the_key_is_made_once_whoever_asks(tmp_path: Path) -> None:
    database, found = tmp_path / "x.db", []
    threads = [threading.Thread(target=lambda: found.append(secret_of(read_settings(), database))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(found)) == 1 and len(found) == 8 and len(found[0]) >= 32
    assert key_path(database).stat().st_mode & 0o777 == 0o600 and not too_open(key_path(database))
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.db.secret"]
    key_path(database).write_text("short")
    with pytest.raises(UsageError, match="holds no usable key"):
        secret_of(read_settings(), database)


def test_a_configured_key_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHESTRATOR_SECRET_KEY", "k" * 40)
    assert secret_of(read_settings(), tmp_path / "x.db") == b"k" * 40 and not list(tmp_path.iterdir())


def test_nothing_leaves_by_accident(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not any(to.leaves for to in reached(read_settings(), tmp_path).values())
    monkeypatch.setenv("ORCHESTRATOR_SMTP_URL", "smtp://user:hunter2@mail.example.com:587")
    to = reached(read_settings(), tmp_path)["email"]
    assert to.leaves and "hunter2" not in to.url
    kept = kept_here(read_settings())
    assert not any(to.leaves for to in reached(kept, tmp_path).values())
    monkeypatch.setenv("ORCHESTRATOR_SMTP_URL", "file:outbox")
    assert kept_here(read_settings()).smtp_url == "file:outbox"


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
def test_loopback_needs_no_key(host: str) -> None:
    assert is_loopback(host)
    refuse_open_door(host, frozenset())


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.0.2", "example.com", ""])
def test_other_addresses_need_one(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UsageError, match="ORCHESTRATOR_WRITE_KEYS"):
        refuse_open_door(host, frozenset())
    monkeypatch.setenv("ORCHESTRATOR_WRITE_KEYS", " alpha , beta,, ")
    assert read_settings().keys == {"alpha", "beta"} and "alpha" not in repr(read_settings())
    refuse_open_door(host, read_settings().keys)
