"""The libraries that companies have, through a proxy that cuts, refuses and loses answers, to a server that is killed
in the middle of requests: whatever they were told is taken, is there once.

Its short form takes some hundred events of the Python libraries and of a page; `TEST_IN_FULL=1` 10,000 of each
library, those for Node included (their packages are installed by npm outside of the project, and skipped where that
cannot be).
"""

from __future__ import annotations

import importlib.util
import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.in_full import IN_FULL, long_form
from tests.sdk.clients import BROWSER, NODE, PEOPLE, PYTHON, Library, why_no_node
from tests.sdk.killed_site import Site
from tests.sdk.proxy import Proxy

COUNT = 10_000 if IN_FULL else 150


@contextmanager
def troubled(folder: Path, strikes: range) -> Iterator[tuple[Site, Proxy]]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    with Site(folder, port) as site:
        proxy = Proxy(port, seed=1, strikes=strikes, strike=site.strike)
        try:
            yield site, proxy
        finally:
            proxy.close()


def check(folder: Path, libraries: tuple[Library, ...], count: int, strikes: range) -> None:
    with troubled(folder, strikes) as (site, proxy):
        with ThreadPoolExecutor(len(libraries)) as pool:
            for sent in [pool.submit(library.send, proxy.url, count) for library in libraries]:
                sent.result()
        site.wait_ready()
        site.wait_decided()
        met = dict(proxy.met)
        print(f"{[library.name for library in libraries]} x {count:,}: {site.kills} kills, {met}")
        for library in libraries:
            found = site.events(library.name)
            lost = [n for n in range(count) if str(n) not in found]
            doubled = [n for n, times in found.items() if times > 1]
            assert (len(lost), len(doubled), len(found)) == (0, 0, count), (library.name, lost[:5], doubled[:5])
            assert site.customers(f"{library.name}-") == min(PEOPLE, count)
        assert site.kills == len(strikes) and all(met.get(name) for name in ("refused", "cut", "lost", "failed")), met


def test_python_libraries_and_pages_through_trouble(tmp_path: Path, require_service: Any) -> None:
    for module in ("segment.analytics", "rudderstack.analytics"):
        if importlib.util.find_spec(module.partition(".")[0]) is None:
            require_service(module, "it is in the extra 'services'")
    strikes = range(60, 2_000, 400) if IN_FULL else range(40, 41)
    check(tmp_path, (*PYTHON, BROWSER), COUNT, strikes)


@long_form
@pytest.mark.parametrize("library", NODE, ids=[library.name for library in NODE])
def test_libraries_for_node_through_trouble(library: Library, tmp_path: Path) -> None:
    if (why := why_no_node()) is not None:
        pytest.skip(why)
    check(tmp_path, (library,), COUNT, range(20, 170, 50))
