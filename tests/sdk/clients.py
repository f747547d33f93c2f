"""The libraries that companies have, each sending its events: `send` raises where one gave up."""

from __future__ import annotations

import asyncio
import importlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from orchestrator import client as our_client
from tests.sdk.killed_site import KEY

PEOPLE: Final = 50
PACKAGES: Final = {
    "@segment/analytics-node": "3.1.0",
    "@rudderstack/rudder-sdk-node": "3.0.13",
    "analytics-node": "6.2.0",
}
SCRIPTS: Final = Path(__file__).parent / "node"


class Library(NamedTuple):
    """A library by name: `send(host, events)` returns when everything was handed over."""

    name: str
    send: Callable[[str, int], None]


def segment_python(host: str, count: int) -> None:
    library: Any = importlib.import_module("segment.analytics")
    failed: list[Any] = []
    client = library.Client(
        KEY, host=host, max_retries=60, upload_size=20, max_queue_size=count + 9, upload_interval=0.05, gzip=True,
        on_error=lambda error, items: failed.append(error),
    )  # fmt: skip
    _fill(client, "segment_python", count)
    client.flush()
    client.join()
    assert not failed, failed[:3]


def rudder_python(host: str, count: int) -> None:
    library: Any = importlib.import_module("rudderstack.analytics.client")
    failed: list[Any] = []
    client = library.Client(
        KEY, host=host, max_retries=60, upload_size=20, max_queue_size=count + 9, upload_interval=0.05,
        on_error=lambda error, items: failed.append(error),
    )  # fmt: skip
    _fill(client, "rudder_python", count)
    client.flush()
    client.join()
    assert not failed, failed[:3]


def our_own(host: str, count: int) -> None:
    with our_client.Client(host, KEY, batch=20, interval=0.05) as client:
        _fill(client, "our_own", count)
        assert client.flush(900)


def our_own_async(host: str, count: int) -> None:
    async def send() -> None:
        async with our_client.AsyncClient(host, KEY, batch=20, interval=0.05) as client:
            _fill(client, "our_own_async", count)
            assert await client.flush(900)

    asyncio.run(send())


def _fill(client: Any, name: str, count: int) -> None:
    for n in range(count):
        client.track(f"{name}-{n % PEOPLE}", name, {"n": n})


def browser(host: str, count: int) -> None:
    """As analytics.js posts: one call at a time, text/plain, the same item again until it is answered with 2xx."""
    for n in range(count):
        item = {
            "type": "track", "event": "browser", "properties": {"n": n}, "anonymousId": f"browser-{n % PEOPLE}",
            "messageId": f"ajs-next-{n}", "writeKey": KEY, "timestamp": "2026-03-02T10:00:00.000Z",
            "context": {"library": {"name": "analytics.js"}},
        }  # fmt: skip
        for _ in range(400):
            body = json.dumps({**item, "sentAt": "2026-03-02T10:00:01.000Z"}).encode()
            request = Request(f"{host}/v1/t", body, {"Content-Type": "text/plain", "Origin": "https://example.com"})
            try:
                with urlopen(request, timeout=30) as answer:
                    assert answer.status == 200
                    break
            except HTTPError as error:
                if error.code < 500:
                    raise
            except (URLError, OSError):
                pass
            time.sleep(0.05)
        else:
            raise AssertionError("a page gave up")


def node(script_name: str) -> Callable[[str, int], None]:
    def send(host: str, count: int) -> None:
        script = SCRIPTS / script_name
        environment = {**os.environ, "NODE_PATH": str(node_cache() / "node_modules")}
        words = ["node", str(script), host, KEY, str(count), str(PEOPLE)]
        done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=900, check=False)
        assert done.returncode == 0, done.stdout[-1_000:] + done.stderr[-2_000:]

    return send


def node_cache() -> Path:
    """Where packages are installed: outside of the project, once for all runs."""
    return Path(os.environ.get("TEST_NODE_CACHE") or Path(tempfile.gettempdir()) / "orchestrator-node-clients")


def why_no_node() -> str | None:
    """Installs the packages where they are not there yet; None: they are, else the reason why not."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        return "node and npm are not installed"
    folder = node_cache()
    if all((folder / "node_modules" / name).is_dir() for name in PACKAGES):
        return None
    folder.mkdir(parents=True, exist_ok=True)
    words = ["npm", "install", "--no-audit", "--no-fund", "--ignore-scripts", "--prefix", str(folder)]
    try:
        named = [f"{name}@{version}" for name, version in PACKAGES.items()]
        done = subprocess.run([*words, *named], capture_output=True, text=True, timeout=180, check=False)
    except subprocess.TimeoutExpired:
        return "npm install took too long"
    return None if done.returncode == 0 else f"npm install failed: {done.stderr.strip()[-200:]}"


PYTHON: Final = (
    Library("segment_python", segment_python),
    Library("rudder_python", rudder_python),
    Library("our_own", our_own),
    Library("our_own_async", our_own_async),
)
BROWSER: Final = Library("browser", browser)
NODE: Final = (
    Library("segment_node", node("segment.cjs")),
    Library("rudder_node", node("rudder.cjs")),
    Library("segment_old_node", node("segment_old.cjs")),
)
