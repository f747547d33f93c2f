"""The real application behind uvicorn, on a port that can be opened late, with troubles in front of it."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from orchestrator.core.inbox import Occurred
from orchestrator.http.app import make_app
from tests.http.installation import Installation, installation

KEY = "a-write-key"
API_KEY = "an-api-key"


class Served:
    """`troubles`: called with the number of a POST; an answer's status instead of the server's own, or None. `lose`:
    numbers of POSTs whose answer is lost after they were taken."""

    def __init__(self, site: Installation) -> None:
        self.site = site
        self.url = ""
        self.posts = 0
        self.trouble: Callable[[int], int | None] = lambda number: None
        self.lose: frozenset[int] = frozenset()
        self._app = make_app(site)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http" or scope["method"] != "POST":
            await self._app(scope, receive, send)
            return
        self.posts += 1
        number = self.posts
        status = self.trouble(number)
        if status is not None:
            await send({"type": "http.response.start", "status": status, "headers": [(b"retry-after", b"0")]})
            await send({"type": "http.response.body", "body": b"{}"})
            return
        if number in self.lose:

            async def swallow(message: Any) -> None:
                if message["type"] == "http.response.start":
                    await send({"type": "http.response.start", "status": 502, "headers": []})
                elif not message.get("more_body"):
                    await send({"type": "http.response.body", "body": b""})

            await self._app(scope, receive, swallow)
            return
        await self._app(scope, receive, send)

    def events(self, name: str | None = None) -> list[Any]:
        """What arrived: `n` of the events, in order of customers."""
        bodies = [item.body for view in self.site.store.load(self.site.now, 100_000).customers for item in view.inbox]
        return [
            body.event.properties.get("n")
            for body in bodies
            if isinstance(body, Occurred) and (name is None or body.event.name == name)
        ]


@contextmanager
def served(port: int = 0, site: Installation | None = None) -> Iterator[Served]:
    """On a free port, or this one."""
    keys = {"write_keys": frozenset({KEY}), "api_keys": frozenset({API_KEY})}
    made = Served(site or installation(**keys))
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
        made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        server = uvicorn.Server(
            uvicorn.Config(made, log_level="critical", lifespan="off", timeout_graceful_shutdown=1)  # type: ignore[arg-type]
        )
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            yield made
        finally:
            server.should_exit = True
            thread.join(10)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
