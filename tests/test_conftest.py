"""The guards of conftest.py hold: a guard that never speaks is no guard."""

from __future__ import annotations

import os
import socket
import urllib.request
from pathlib import Path

import pytest


def test_names_outside_are_not_even_resolved() -> None:
    with pytest.raises(AssertionError, match=r"example\.org.*only the loopback"):
        urllib.request.urlopen("http://example.org/")


@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_addresses_outside_are_refused(address: str) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family) as sock, pytest.raises(AssertionError, match="only the loopback"):
        sock.connect((address, 80))
    with socket.socket(family, socket.SOCK_DGRAM) as sock, pytest.raises(AssertionError, match="only the loopback"):
        sock.sendto(b"hello", (address, 53))


def test_the_loopback_interface_answers() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()[:2]) as client:
        accepted, _ = server.accept()
        with accepted:
            client.sendall(b"hello")
            assert accepted.recv(5) == b"hello"


def test_home_is_an_empty_folder(tmp_path: Path) -> None:
    assert Path.home() == Path(os.environ["HOME"])
    assert list(Path.home().iterdir()) == []
    assert Path.home().parent == tmp_path.parent
