"""What every test of the project stands on: no network, no home folder, no surprises from the clock.

Fixtures offered to tests:

- `repository_root`   the folder that holds pyproject.toml
- `shared_data`       third parties' data beside the repository; skipped, with the reason, where it is absent
- `require_service`   ``require_service('redis', 'no server answers')``: a skip at home, a failure where ``CI`` is set

Hypothesis takes its profile from ``HYPOTHESIS_PROFILE``: ``home`` (default), ``ci`` (default where ``CI`` is set; the
same examples on every run), ``thorough`` (for a long evening).
"""

from __future__ import annotations

import gc
import importlib
import importlib.util
import ipaddress
import os
import pkgutil
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn

import pytest
from hypothesis import settings

ROOT = Path(__file__).resolve().parent.parent
IN_CI = os.environ.get("CI", "").lower() in {"1", "true", "yes"}

settings.register_profile("home", max_examples=60, deadline=None)
settings.register_profile("ci", max_examples=60, deadline=None, derandomize=True, print_blob=True)
settings.register_profile("thorough", max_examples=2000, deadline=None)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE") or ("ci" if IN_CI else "home"))


# Frozen clocks ------------------------------------------------------------------------------------------------------


def pytest_collection_finish(session: pytest.Session) -> None:
    """Import everything before any clock is frozen, if some collected test can freeze it.

    A pydantic model that is defined while the clock is frozen cannot build its schema, and polars keeps the fake
    classes for the rest of the process; both are cured by being imported first.
    """
    if "freezegun" not in sys.modules:
        return
    import orchestrator

    for module in pkgutil.walk_packages(orchestrator.__path__, "orchestrator."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    if importlib.util.find_spec("polars") is not None:
        polars = importlib.import_module("polars")
        polars.Series([1]).sum()


# Order and garbage ----------------------------------------------------------------------------------------------------


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Where processes share the tests, those that mostly wait come first: one process waits, the others compute, and
    none is left alone with a minute of waiting at the end."""
    if "PYTEST_XDIST_WORKER" in os.environ:
        items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(scope="session", autouse=True)
def _seldom_collected() -> Iterator[None]:
    """Thousands of collected tests are many objects that stay: looking through them for garbage again and again is a
    tenth of the time of a run."""
    before = gc.get_threshold()
    gc.set_threshold(20_000, 20, 20)
    yield
    gc.set_threshold(*before)


@pytest.fixture(autouse=True)
def _nothing_is_set_aside() -> Iterator[None]:
    """A worker or a server that ran in this process set aside all that was there, for good: here it is not for good."""
    yield
    gc.unfreeze()


# The network --------------------------------------------------------------------------------------------------------


class NetworkForbidden(AssertionError):
    """A test reached for the network. Fake the transport, or talk to a server on the loopback interface."""


def _is_local(host: object) -> bool:
    if host is None:
        return True
    name = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    if name in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _refuse(host: object) -> NoReturn:
    raise NetworkForbidden(f"a test tried to reach {host!r}; only the loopback interface and Unix sockets are allowed")


@pytest.fixture(scope="session", autouse=True)
def _no_network() -> Iterator[None]:
    connect, connect_ex, sendto = socket.socket.connect, socket.socket.connect_ex, socket.socket.sendto
    getaddrinfo = socket.getaddrinfo

    def check(sock: socket.socket, address: Any) -> None:
        if sock.family in (socket.AF_INET, socket.AF_INET6) and not _is_local(address[0]):
            _refuse(address[0])

    def guarded_connect(self: socket.socket, address: Any) -> None:
        check(self, address)
        connect(self, address)

    def guarded_connect_ex(self: socket.socket, address: Any) -> int:
        check(self, address)
        return connect_ex(self, address)

    def guarded_sendto(self: socket.socket, data: Any, *rest: Any) -> int:
        check(self, rest[-1])
        return sendto(self, data, *rest)

    def guarded_getaddrinfo(host: Any, *rest: Any, **options: Any) -> Any:
        if not _is_local(host):
            _refuse(host)
        return getaddrinfo(host, *rest, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded_connect)
        patch.setattr(socket.socket, "connect_ex", guarded_connect_ex)
        patch.setattr(socket.socket, "sendto", guarded_sendto)
        patch.setattr(socket, "getaddrinfo", guarded_getaddrinfo)
        yield


# The home folder ----------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def _empty_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        for name in ("XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            patch.delenv(name, raising=False)
        yield home


@pytest.fixture(autouse=True)
def _home_stays_empty(_empty_home: Path) -> Iterator[None]:
    """The home folder of every test is an empty one, its child processes' too, and has to be empty afterwards."""
    yield
    if left := sorted(entry.name for entry in _empty_home.iterdir()):
        for name in left:
            (_empty_home / name).rename(_empty_home.parent / f"left-in-home-{os.urandom(4).hex()}-{name}")
        pytest.fail(f"the test wrote to the home folder: {', '.join(left)}; write to tmp_path instead")


# What may be missing ------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def repository_root() -> Path:
    """The folder that holds pyproject.toml."""
    return ROOT


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder with real data beside the repository; see its own README for sources and licences."""
    folder = ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip("the real data (../shared/data beside the repository) is not on this machine")
    return folder


@pytest.fixture(scope="session")
def require_service() -> Callable[[str, str], NoReturn]:
    """Call it where a service is not there: newcomers start quickly, and nothing goes unrun in CI."""

    def missing(name: str, reason: str) -> NoReturn:
        message = f"{name} is not available: {reason}"
        if IN_CI:
            pytest.fail(f"{message} (CI is set, so this is a failure)")
        pytest.skip(message)

    return missing
