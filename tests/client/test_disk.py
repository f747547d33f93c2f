"""The buffer on disk: what was accepted is sent after kill -9, once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from orchestrator.client import Client, DeliveryError
from orchestrator.client.disk import DiskOutbox
from orchestrator.client.items import LARGEST_BATCH
from orchestrator.client.outbox import OutboxFull
from tests.client.serving import KEY, free_port, served
from tests.in_full import IN_FULL

APPLICATION = """
import sys
from orchestrator.client import Client
url, folder, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
client = Client(url, "a-write-key", buffer=folder, batch=20, interval=0.01)
said = open(folder + ".said", "a", buffering=1)
for n in range(first, first + 1_000_000):
    client.track(f"u{n % 7}", "go", {"n": n})
    said.write(f"{n}\\n")
"""
ROUNDS = 12 if IN_FULL else 2


def test_what_a_killed_application_accepted_arrives_once(tmp_path: Path) -> None:
    draw, folder, port = random.Random(5), tmp_path / "buffer", free_port()
    with served(port) as server:
        for number in range(ROUNDS):
            words = [sys.executable, "-c", APPLICATION, server.url, str(folder), str(number * 1_000_000)]
            process = subprocess.Popen(words)
            said = Path(f"{folder}.said")
            before = said.stat().st_size if said.exists() else 0
            while not said.exists() or said.stat().st_size < before + 6 * draw.randint(150, 400):
                assert process.poll() is None
                time.sleep(0.005)
            process.kill()
            process.wait()
        accepted = [int(line) for line in said.read_text().split("\n")[:-1]]
        with Client(server.url, KEY, buffer=folder) as client:
            assert client.flush(60)
        found = server.events()
        assert len(found) == len(set(found)), "something was taken twice"
        assert set(accepted) - set(found) == set(), "something was lost"
        assert len(found) - len(accepted) <= ROUNDS, "an item may be in the buffer before it is said to be"
    assert list(folder.iterdir()) == []


def test_a_server_that_comes_later(tmp_path: Path) -> None:
    port = free_port()
    client = Client(f"http://127.0.0.1:{port}", KEY, buffer=tmp_path, interval=0.01)
    for n in range(30):
        client.track("u", "go", {"n": n})
    assert client.close(0.1) == 30
    with served(port) as server:
        with Client(server.url, KEY, buffer=tmp_path):
            pass
        assert server.events() == list(range(30))


def test_what_was_cut_off_was_never_accepted_and_garbage_does_no_harm(tmp_path: Path) -> None:
    outbox = DiskOutbox(tmp_path, 1 << 20)
    for n in range(3):
        outbox.put(b'{"n":%d}' % n)
    assert outbox.take(2, 1 << 20) == [b'{"n":0}', b'{"n":1}']
    outbox.done([b'{"n":0}'])
    [path] = tmp_path.glob("*.items")
    other = DiskOutbox(tmp_path, 1 << 20)
    assert other.adopt() == 0, "it is held by somebody who lives"
    outbox.close()
    with path.open("ab") as file:
        file.write(b'{"n":3')
    (tmp_path / "0-power.items").write_bytes(b"\0" * 600_000 + b"\n")
    assert other.adopt() == 3 and other.count == 3
    assert other.take(9, LARGEST_BATCH) == [b'{"n":1}', b'{"n":2}'], "the garbage is passed over"
    other.done([b'{"n":1}', b'{"n":2}'])
    assert other.count == other.size == 0
    with pytest.raises(OutboxFull):
        other.put(b"x" * (2 << 20))
    other.close()
    assert not list(tmp_path.iterdir())


def test_garbage_that_is_a_line_is_told(tmp_path: Path) -> None:
    told: list[DeliveryError] = []
    item = b'{"type":"track","userId":"u","event":"go","properties":{"n":1}}\n'
    (tmp_path / "0.items").write_bytes(b"nonsense\n" + item)
    with served() as server, Client(server.url, KEY, buffer=tmp_path, on_error=told.append) as client:
        assert client.flush(10) and server.events() == [1]
    assert [one.items for one in told] == [({"unreadable": "nonsense"},)]


@pytest.mark.skipif(os.geteuid() == 0 and not Path("/dev/full").exists(), reason="nothing that is full")
def test_a_folder_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[DeliveryError] = []
    client = Client("http://127.0.0.1:1", KEY, buffer=tmp_path / "b", on_error=told.append)
    assert client.track("u", "go")
    client._worker._outbox._own.fd, kept = os.open("/dev/full", os.O_RDWR), client._worker._outbox._own.fd  # type: ignore[attr-defined]
    assert client.track("u", "go") is None and told[0].code == "no_room"
    os.close(client._worker._outbox._own.fd)  # type: ignore[attr-defined]
    client._worker._outbox._own.fd = kept  # type: ignore[attr-defined]
    assert client.track("u", "go")
    assert client.close(0) == 2
