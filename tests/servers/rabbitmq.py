"""A RabbitMQ node of one's own for tests, with its data in a temporary folder and on free ports. Nothing is installed:
the program is the one that the system has. Used by `make test-rabbitmq` alone, since a node takes ten seconds to start.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import pytest

STARTS_WITHIN: Final = 120.0
_PROGRAMS: Final = (Path("/usr/lib/rabbitmq/bin/rabbitmq-server"), Path("/opt/rabbitmq/sbin/rabbitmq-server"))
_EPMD: Final = shutil.which("epmd") or "epmd"


class RabbitServer:
    """A node. It may be stopped and started again with what it holds."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="rabbitmq-"))
        self.port = _free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self._names: subprocess.Popen[bytes] | None = None
        who = _somebody()
        if who:
            shutil.chown(self.folder, who["user"], who["group"])
        (self.folder / "rabbitmq.conf").write_text(f"listeners.tcp.1 = 127.0.0.1:{self.port}\nloopback_users = none\n")

    @property
    def url(self) -> str:
        """What the product is given."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def start(self) -> RabbitServer:
        """Start; returns when it takes connections."""
        program = _program()
        names = _free_port()
        # Erlang would start its name server as a daemon that outlives us: it finds this one.
        self._names = subprocess.Popen(
            [_EPMD, "-port", str(names), "-address", "127.0.0.1"], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **_somebody(),
        )  # fmt: skip
        environment = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "RABBITMQ_NODENAME": f"test{self.port}@localhost",
            "RABBITMQ_NODE_PORT": str(self.port),
            "RABBITMQ_DIST_PORT": str(_free_port()),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_CONFIG_FILE": str(self.folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(self.folder / "plugins"),
            "ERL_EPMD_PORT": str(names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }
        with (self.folder / "output").open("ab") as output:
            self._process = subprocess.Popen(
                [program], env=environment, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, **_somebody(),
            )  # fmt: skip
        until = time.monotonic() + STARTS_WITHIN
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > until:
                raise AssertionError(f"RabbitMQ did not start:\n{(self.folder / 'output').read_text()[-3_000:]}")
            time.sleep(0.1)
        return self

    def stop(self) -> None:
        """End it at once."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
            self._process = None
        if self._names is not None:
            self._names.kill()
            self._names.wait()
            self._names = None

    def remove(self) -> None:
        """Stop, and delete everything."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                return bool(connection.recv(1))
        except OSError:
            return False


def _program() -> str:
    named = os.environ.get("RABBITMQ_SERVER")
    found = next((str(path) for path in _PROGRAMS if path.exists()), None)
    if named or found:
        return named or str(found)
    return pytest.fail(
        "RabbitMQ is not available: no rabbitmq-server in /usr/lib/rabbitmq or /opt/rabbitmq, and RABBITMQ_SERVER "
        "names none. On Debian and Ubuntu: apt-get install rabbitmq-server"
    )


def _somebody() -> dict[str, Any]:
    """Not root, where that is who runs the tests."""
    if os.geteuid() != 0:
        return {}
    names = {entry.pw_name: entry for entry in pwd.getpwall()}
    who = names.get("rabbitmq") or names["nobody"]
    return {"user": who.pw_uid, "group": who.pw_gid, "extra_groups": []}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
