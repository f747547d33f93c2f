"""`orchestrator keys`: made, listed, renewed and revoked; the key itself is shown once."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import main
from orchestrator.runtime.keys import hash_of_key
from orchestrator.settings import read_settings
from orchestrator.stores.sqlite.store import open_store
from orchestrator.wiring.door import has_write_keys


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "keys.db"
    open_store(path, durable=False).close()
    return path


def run(capsys: pytest.CaptureFixture[str], database: Path, *words: str, code: int = 0) -> tuple[Any, str]:
    """What machines are told, and what people are told."""
    assert main(["--database", str(database), "--json", "keys", *words]) == code
    told = capsys.readouterr()
    return json.loads(told.out) if told.out.strip() else None, told.err


def test_a_key_is_shown_once(capsys: pytest.CaptureFixture[str], database: Path) -> None:
    made, _ = run(capsys, database, "add", "till", "--scope", "coupons:write", "--rate", "5", "--expires", "90d")
    assert made["key"].startswith("oa_") and made["scopes"] == ["coupons:write"] and made["rate"] == 5
    [listed], _ = run(capsys, database, "list")
    assert listed == {name: value for name, value in made.items() if name != "key"}
    assert made["key"].encode() not in database.read_bytes()
    store = open_store(database)
    [kept] = store.all_keys()
    assert kept.hash == hash_of_key(made["key"])
    assert [(row.action, made["key"] in row.detail) for row in store.audit_tail(5)] == [("key made", False)]
    store.close()


def test_a_key_is_renewed_and_revoked(capsys: pytest.CaptureFixture[str], database: Path) -> None:
    old, _ = run(capsys, database, "add", "site", "--write", "--source", "website")
    new, _ = run(capsys, database, "rotate", old["id"], "--overlap", "1h")
    listed, _ = run(capsys, database, "list")
    assert [key["id"] for key in listed] == [old["id"], new["id"]] and new["key"] != old["key"]
    assert listed[0]["expires_at"] is not None and listed[0]["revoked_at"] is None
    assert (new["source"], new["kind"]) == ("website", "write")
    revoked, _ = run(capsys, database, "revoke", new["prefix"])
    assert revoked["revoked_at"] is not None
    again, _ = run(capsys, database, "revoke", new["id"])
    assert again == revoked


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("add", "x", "--scope", "cupons:write"), "did you mean coupons:write?"),
        (("add", "x"), "--scope"), (("add", "x", "--write", "--scope", "offers:read"), "--scope"),
        (("add",), "NAME"), (("list", "x"), "no other words"), (("revoke", "x"), "no key 'x'"),
        (("rotate", "x"), "no key 'x'"), (("revoke", "x", "--rate", "1"), "keys add"),
        (("add", "x", "--write", "--expires", "-1d"), "--expires"), (("add", "x", "--write", "--rate", "-1"), "--rate"),
        (("add", "x", "--write", "--expires", "2020-01-01T00:00:00Z"), "over already"),
        (("rotate", "x", "--overlap", "soon"), "--overlap"),
    ],
)  # fmt: skip
def test_what_cannot_be(capsys: pytest.CaptureFixture[str], database: Path, words: tuple[str, ...], told: str) -> None:
    _, said = run(capsys, database, *words, code=2)
    assert told in said


def test_a_write_key_in_the_database_closes_the_door(
    capsys: pytest.CaptureFixture[str], database: Path, tmp_path: Path
) -> None:
    settings = read_settings(database_url=f"sqlite:///{database}")
    asked = has_write_keys(settings, tmp_path)
    assert not asked()
    run(capsys, database, "add", "till", "--scope", "all")
    assert not asked()
    run(capsys, database, "add", "site", "--write")
    assert asked()
    assert not has_write_keys(read_settings(database_url=f"sqlite:///{tmp_path}/none.db"), tmp_path)()
