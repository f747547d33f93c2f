"""A real mail server that passes on: OpenSMTPD with a queue, a Received line and bounces of its own, as root may start
it; elsewhere the proxy of aiosmtpd, which passes on what it is given and keeps refusals to itself.

    with relay_to(sink.port) as relay:
        ... smtp://127.0.0.1:{relay.port} ...

OpenSMTPD has one queue and one control socket per machine: it is left alone where one runs already.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final, NamedTuple

import pytest

pytest.importorskip("aiosmtpd", reason="the servers for tests come with the extra 'services'")

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Proxy

from tests.channels.mail_server import HOST, free_port

STARTS_WITHIN: Final = 20.0
"""Seconds; a busy machine is no failure."""
_CONTROL: Final = Path("/var/run/smtpd.sock")
_RULES: Final = """\
listen on {host} port {port}
action "onward" relay host smtp://{host}:{onward}
match from any for any action "onward"
"""


class Relay(NamedTuple):
    """`bounces`: it tells the sender itself what could not be passed on."""

    port: int
    bounces: bool


@contextmanager
def relay_to(onward: int) -> Iterator[Relay]:
    """A server that passes everything on to a port of this machine."""
    binary = shutil.which("smtpd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if binary is None or os.geteuid() != 0 or _is_running():
        with _proxy_to(onward) as port:
            yield Relay(port, bounces=False)
        return
    with tempfile.TemporaryDirectory(prefix="relay-") as folder:
        port = free_port()
        rules = Path(folder) / "smtpd.conf"
        rules.write_text(_RULES.format(host=HOST, port=port, onward=onward))
        with (Path(folder) / "log").open("wb") as log:
            process = subprocess.Popen(
                [binary, "-d", "-f", rules], stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True
            )
        try:
            _wait_for(port, process, Path(folder) / "log")
            yield Relay(port, bounces=True)
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGTERM)
            process.wait(STARTS_WITHIN)


@contextmanager
def _proxy_to(onward: int) -> Iterator[int]:
    controller = Controller(Proxy(HOST, onward), hostname=HOST, port=free_port())
    controller.start()
    try:
        yield controller.port
    finally:
        controller.stop()


def _is_running() -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        return probe.connect_ex(str(_CONTROL)) == 0


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and process.poll() is None:
        with suppress(OSError), socket.create_connection((HOST, port), 1.0):
            return
        time.sleep(0.05)
    pytest.fail(f"OpenSMTPD did not start:\n{log.read_text(errors='replace')[-2_000:]}")
