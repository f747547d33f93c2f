"""The client for asyncio: the same promises."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from orchestrator.client import AsyncClient, Client, DeliveryError, NotFound
from tests.client.serving import API_KEY, KEY, free_port, served


def test_everything_arrives_once_through_trouble() -> None:
    with served() as server:
        server.trouble = lambda number: (503, None, 429, None)[number % 4]
        server.lose = frozenset({3})

        async def run() -> None:
            async with AsyncClient(server.url, KEY, batch=40, interval=0.01) as client:
                client._pace._wait = lambda asked: 0.01  # type: ignore[method-assign]
                for n in range(200):
                    assert client.track(f"u{n % 5}", "go", {"n": n})
                    if n % 50 == 0:
                        await asyncio.sleep(0)
                assert await client.flush(20)

        asyncio.run(run())
        assert sorted(server.events()) == list(range(200))


def test_it_sends_by_itself() -> None:
    with served() as server:

        async def run() -> None:
            async with AsyncClient(server.url, KEY, interval=0.02) as client:
                client.track("u", "go", {"n": 1})
                for _ in range(300):
                    if server.events() == [1]:
                        return
                    await asyncio.sleep(0.01)
                raise AssertionError("it was not sent")

        asyncio.run(run())


def test_it_ends_whatever_it_was_doing() -> None:
    with served() as server:

        async def run() -> None:
            for _ in range(60):
                async with AsyncClient(server.url, KEY, interval=0.001) as client:
                    client.track("u", "go")
                    assert await client.flush(10)

        asyncio.run(asyncio.wait_for(run(), 30))


def test_the_buffer_is_shared_with_the_other_client(tmp_path: Path) -> None:
    port = free_port()
    told: list[DeliveryError] = []

    async def before() -> int:
        client = AsyncClient(f"http://127.0.0.1:{port}", KEY, buffer=tmp_path, on_error=told.append)
        for n in range(9):
            client.track("u", "go", {"n": n})
        return await client.close(0.1)

    assert asyncio.run(before()) == 9 and told == []
    with served(port) as server:
        with Client(server.url, KEY, buffer=tmp_path):
            pass
        assert server.events() == list(range(9))


def test_calls() -> None:
    with served() as server:

        async def run() -> None:
            async with AsyncClient(server.url, api_key=API_KEY) as client:
                await client.customers.save("ana", {"attributes": {"tier": "gold"}})
                server.site.run()
                ana, journey = await asyncio.gather(client.customers.get("ana"), client.journeys.get("greets"))
                assert ana["attributes"] == {"tier": "gold"} and journey["id"] == "greets"
                assert [one["id"] async for one in client.customers.list()] == ["ana"]
                with pytest.raises(NotFound):
                    await client.customers.get("bob")

        asyncio.run(run())
