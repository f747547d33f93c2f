"""`orchestrator db rotate`, and what `doctor` says of the keys."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.stores.sealed_keys import entry

KEYS = "ORCHESTRATOR_DATA_KEYS"
PEOPLE = "id,email,first_name\nc-17,xiomara.quill@example.com,Xiomara\nc-18,other@example.com,Other\n"


@pytest.fixture
def people(cli: Any, project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A database with two customers, which nothing seals; the path of its file."""
    for name in ("DATABASE_URL", "DATA_KEYS"):
        monkeypatch.delenv(f"ORCHESTRATOR_{name}", raising=False)
    assert cli("deploy", "--yes").code == 0
    (project / "people.csv").write_text(PEOPLE, encoding="utf-8")
    assert cli("import", "customers", "people.csv").code == 0
    return project / ".orchestrator" / "orchestrator.db"


def sealing(cli: Any) -> str:
    [line] = [line for line in cli("doctor").out.splitlines() if line[6:].startswith("sealing")]
    return str(line)


def test_an_installation_gets_keys_changes_them_and_gives_them_up(
    cli: Any, people: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert sealing(cli).startswith("note") and "unsealed" in sealing(cli)
    refused = cli("db", "rotate")
    assert refused.code == 2 and "ORCHESTRATOR_DATA_KEYS is not set" in refused.err

    monkeypatch.setenv(KEYS, entry("k1"))
    assert "no rotation to it came to its end yet" in sealing(cli)
    assert b"xiomara" in people.read_bytes().lower()
    assert cli("db", "rotate").code == 0
    assert sealing(cli).startswith("ok") and "'k1'" in sealing(cli)
    assert b"xiomara" not in people.read_bytes().lower()
    assert "Xiomara" in cli("customer", "export", "c-17").out

    monkeypatch.setenv(KEYS, f"{entry('k2')}, {entry('k1')}")
    done = cli("db", "rotate", "--json").json
    assert done["removable"] == ["k1"] and done["needed"] == ["k2"] and done["renewed"]["inbox"] == 2
    monkeypatch.setenv(KEYS, entry("k1"))
    wrong = cli("customer", "show", "c-17")
    assert wrong.code == 2 and "'k2'" in wrong.err and "ORCHESTRATOR_DATA_KEYS" in wrong.err
    assert "wrong database" in cli("doctor").out

    monkeypatch.setenv(KEYS, entry("k2"))
    assert cli("db", "rotate", "--plain").code == 2, "the keys do not say so"
    monkeypatch.setenv(KEYS, f"plain {entry('k2')}")
    refused = cli("db", "rotate")
    assert refused.code == 2 and "--plain" in refused.err
    assert cli("db", "rotate", "--plain").code == 0
    monkeypatch.delenv(KEYS)
    assert cli("customer", "show", "c-17").code == 0
    assert b"xiomara" in people.read_bytes().lower()


def test_no_command_prints_a_key(cli: Any, people: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(KEYS, entry("k1"))
    secret = entry("k1").partition(":")[2]
    for words in (["db", "rotate"], ["doctor"], ["db", "rotate", "--json"], ["doctor", "--json"]):
        done = cli(*words)
        assert secret not in done.out + done.err
    monkeypatch.setenv(KEYS, f"k1:{secret[:20]}")
    done = cli("doctor")
    assert secret[:20] not in done.out + done.err and "'k1'" in done.out


def test_retention_is_told(cli: Any, people: Path, project: Path) -> None:
    found = json.dumps(cli("doctor", "--json").json)
    assert "messages and consents for good" in found
