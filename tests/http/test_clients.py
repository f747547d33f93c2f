"""Real Segment clients against a real server: they work by pointing them here."""

from __future__ import annotations

import importlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any, NoReturn

import httpx2
import pytest
import uvicorn

from orchestrator.core.inbox import Grouped, Identified, Occurred
from orchestrator.http.app import make_app
from tests.http.installation import START, Installation, installation

KEY = "a-write-key"


@pytest.fixture
def server() -> Iterator[tuple[Installation, str]]:
    """An installation behind uvicorn on a free port, and its address."""
    site = installation(write_keys=frozenset({KEY}))
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        config = uvicorn.Config(make_app(site), log_level="error", lifespan="off", timeout_graceful_shutdown=2)
        running = uvicorn.Server(config)
        thread = threading.Thread(target=running.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        try:
            yield site, address
        finally:
            running.should_exit = True
            thread.join(10)


def client_library(name: str, require_service: Callable[[str, str], NoReturn]) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError:
        require_service(name, "it is in the extra 'services'")


def inbox(site: Installation) -> list[Any]:
    return [item.body for view in site.store.load(START, 99).customers for item in view.inbox]


def send_everything(client: Any) -> None:
    client.identify("u1", traits={"email": "u1@example.com", "consents": {"promotions": {"email": "in"}}})
    client.track("u1", "go", {"order": "o1"})
    client.page("u1", "Docs", "Start", {"path": "/"})
    client.screen("u1", "App", "Main", {"n": 1})
    client.group("u1", "acme", {"seats": 3})
    client.alias("anonymous-1", "u1")


def check_everything(site: Installation) -> None:
    bodies = inbox(site)
    assert [body.event.name for body in bodies if isinstance(body, Occurred)] == ["go", "page_viewed", "screen_viewed"]
    [about, _] = [dict(body.traits) for body in bodies if isinstance(body, Identified)]
    assert (about["email"], about["consents"]) == ("u1@example.com", {"promotions": {"email": "in"}})
    assert [body for body in bodies if isinstance(body, Grouped)] == [Grouped("acme", {"seats": 3})]
    assert "anonymous-1" in {known.value for known in site.store.identifiers("u1")} and not site.store.refused(9)


@pytest.mark.parametrize("gzip", [False, True])
def test_segments_own_client(server: Any, require_service: Any, gzip: bool) -> None:
    site, address = server
    library = client_library("segment.analytics", require_service)
    failures: list[Any] = []
    client = library.Client(KEY, host=address, gzip=gzip, on_error=lambda error, items: failures.append(error))
    send_everything(client)
    client.flush()
    client.join()
    assert failures == []
    check_everything(site)


def test_rudderstacks_client(server: Any, require_service: Any) -> None:
    site, address = server
    library = client_library("rudderstack.analytics.client", require_service)
    failures: list[Any] = []
    client = library.Client(KEY, host=address, on_error=lambda error, items: failures.append(error))
    send_everything(client)
    client.flush()
    client.join()
    assert failures == []
    check_everything(site)


def test_a_client_learns_that_its_key_is_wrong(server: Any, require_service: Any) -> None:
    _, address = server
    library = client_library("segment.analytics", require_service)
    failures: list[Any] = []
    client = library.Client("wrong", host=address, max_retries=0, on_error=lambda error, items: failures.append(error))
    client.track("u1", "go")
    client.flush()
    client.join()
    assert ["unknown_write_key" in str(error) for error in failures] == [True]


def test_what_curl_sends(server: Any) -> None:
    site, address = server
    with httpx2.Client(base_url=address, auth=(KEY, "")) as curl:
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        assert curl.post("/v1/track", content='{"userId":"u1","event":"go"}', headers=form).status_code == 200
        cut_off = curl.post("/v1/track", content=b'{"userId":"u1"', headers={"Content-Type": "text/plain"})
        assert cut_off.json()["code"] == "bad_json"
        assert curl.get("/").status_code == 200
        assert curl.get("/customers/%2e%2e%2f%252f").status_code == 404
        assert curl.head("/u/nothing").status_code == 404
        assert curl.head("/healthz").content == b""
    assert len(inbox(site)) == 1


def test_a_raw_request_with_odd_headers_is_answered(server: Any) -> None:
    _, address = server
    host, port = address.removeprefix("http://").split(":")
    for path in (b"/u/%ff%fe%00", b"/\xff\xfe", b"/v/" + b"A" * 4000, b"//", b"/?a=%ff"):
        with socket.create_connection((host, int(port)), timeout=30) as raw:
            raw.sendall(
                b"GET " + path + b" HTTP/1.1\r\nHost: localhost\r\nAccept-Language: \xff;q=\xfe\r\n"
                b"Connection: close\r\n\r\n"
            )
            answer = raw.recv(100)
        assert answer.split()[1] in (b"200", b"400", b"404")
