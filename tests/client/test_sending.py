"""The SDK against the real application: everything that was accepted arrives once, whatever gets in the way."""

from __future__ import annotations

import os
import sys
import threading
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from orchestrator.client import Client, ClientError, DeliveryError, ItemInvalid
from orchestrator.client.answers import Pace, Reply, asked_wait
from orchestrator.client.items import LARGEST_BATCH, LARGEST_ITEM
from orchestrator.core.inbox import Identified
from tests.client.serving import KEY, free_port, served


def test_every_kind_is_taken() -> None:
    told: list[DeliveryError] = []
    with served() as server:
        with Client(server.url, KEY, on_error=told.append, interval=0.02) as client:
            client.identify("u1", {"email": "u1@example.com", "born": date(2000, 1, 2), "paid": Decimal("19.90")})
            client.track("u1", "go", {"n": 1, "at": datetime(2026, 1, 1, tzinfo=UTC), "tags": {"b", "a"}})
            client.track(None, "go", {"n": "é李"}, anonymous_id="anon-9")
            client.page("u1", "Docs", {"path": "/"}, category="Start")
            client.screen("u1", "Main")
            client.group("u1", "acme", {"seats": 3})
            client.alias("anon-8", "u1")
            assert client.flush(10)
        assert told == [] and sorted(map(str, server.events("go"))) == ["1", "é李"]
        views = server.site.store.load(server.site.now, 99).customers
        traits = [item.body.traits for view in views for item in view.inbox if isinstance(item.body, Identified)]
        assert {"email": "u1@example.com", "born": "2000-01-02", "paid": 19.9} in traits
        with pytest.raises(ClientError, match="closed"):
            client.track("u1", "go")


def test_through_refusals_lost_answers_and_a_full_batch() -> None:
    with served() as server:
        server.trouble = lambda number: (503, 500, 429, None, None)[number % 5]
        server.lose = frozenset({4})
        with Client(server.url, KEY, batch=50, interval=0.01) as client:
            threads = [threading.Thread(target=_some, args=(client, k)) for k in range(4)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            client._worker._pace._wait = lambda asked: 0.01  # type: ignore[method-assign]
            assert client.flush(20)
        assert sorted(server.events()) == list(range(200))


def _some(client: Client, k: int) -> None:
    for n in range(50):
        assert client.track(f"u{k}", "go", {"n": k * 50 + n})


def test_a_refused_item_is_told_and_the_others_go_on() -> None:
    told: list[DeliveryError] = []
    with served() as server, Client(server.url, KEY, on_error=told.append, interval=9) as client:
        for n in range(5):
            client.track("u1", "go", {"n": n})
        client.track("u1", "x" * 2_000, {"n": "bad"})  # longer than the name of an event may be
        assert client.flush(10)
        assert sorted(server.events()) == [0, 1, 2, 3, 4] and server.posts == 1
    assert len(told) == 1 and told[0].items[0]["properties"] == {"n": "bad"} and not told[0].retried


def test_a_wrong_key_is_told_once_and_nothing_is_lost() -> None:
    told: list[DeliveryError] = []
    with served() as server:
        client = Client(server.url, "wrong", on_error=told.append, interval=0.01)
        client.track("u1", "go", {"n": 1})
        assert not client.flush(0.8)
        assert [(one.code, one.retried) for one in told] == [("unknown_write_key", True)]
        assert client.close(0.1) == 1
    assert told[-1].code == "not_sent" and told[-1].items[0]["properties"] == {"n": 1}


def test_no_room_and_a_server_that_is_down() -> None:
    told: list[DeliveryError] = []
    client = Client(f"http://127.0.0.1:{free_port()}", KEY, on_error=told.append, most_waiting=2, interval=0.01)
    assert [client.track("u", "go") is not None for _ in range(4)] == [True, True, False, False]
    assert [one.code for one in told] == ["no_room"] * 2
    assert client.close(0.2) == 2


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ((None, "go"), "needs a user_id"),
        (("u", "go", {"x": object()}), "a object cannot be sent"),
        (("u", "go", {"x": float("nan")}), "no JSON"),
        (("u", "go", {"x": datetime(2026, 1, 1)}), "no zone"),
        (("u", "go", {"x": "é" * LARGEST_ITEM}), "may have"),
        ((["u"], "go"), "should be a text"),
    ],
)
def test_what_could_never_be_taken_is_refused_at_once(words: tuple[Any, ...], match: str) -> None:
    client = Client("http://127.0.0.1:1", KEY)
    with pytest.raises(ItemInvalid, match=match):
        client.track(*words)
    loop: dict[str, Any] = {}
    loop["self"] = loop
    with pytest.raises(ItemInvalid):
        client.identify("u", loop)
    client.close(0)


def test_batches_stay_below_the_servers_limits() -> None:
    with served() as server:
        server.trouble = lambda number: None
        with Client(server.url, KEY, batch=1_000, interval=9, gzip=False) as client:
            for n in range(40):
                client.track("u1", "go", {"n": n, "text": "x" * 30_000})
            assert client.flush(20)
        assert sorted(server.events()) == list(range(40)) and server.posts >= 40 * 30_000 / LARGEST_BATCH


def test_what_spoils_a_batch_is_found_by_halving() -> None:
    pace, items = Pace(100), [b'{"n":%d}' % n for n in range(8)]
    refused = Reply(413, {}, b'{"code": "too_large", "detail": "no"}')
    assert not pace.judge(refused, items).settled and pace.limit == 4
    assert not pace.judge(refused, items[:2]).settled and pace.limit == 1
    outcome = pace.judge(refused, items[:1])
    assert outcome.settled and outcome.told[0].items == ({"n": 0},)
    assert pace.judge(Reply(200, {}, b"{}"), items[:1]).settled and pace.limit == 2
    assert [asked_wait(text) for text in (None, "", "7", "-1", "x", "1e9", "nan")] == [0, 0, 7, 0, 0, 600, 0]
    assert asked_wait("Mon, 02 Mar 2026 10:00:05 GMT", datetime(2026, 3, 2, 10, tzinfo=UTC)) == 5
    assert pace.judge(Reply(503, {"retry-after": "9"}, b""), items).wait >= 9


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_parent_and_child_send_what_is_theirs() -> None:
    with served() as server:
        client = Client(server.url, KEY, interval=9)
        client.track("parent", "go", {"n": "before"})
        child = os.fork()
        if child == 0:
            client.track("child", "go", {"n": "child"})
            os._exit(0 if client.flush(10) and client.close(1) == 0 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        assert server.events() == ["child"]
        client.track("parent", "go", {"n": "after"})
        assert client.close() == 0
        assert sorted(server.events()) == ["after", "before", "child"]


def test_the_sdk_stands_alone(tmp_path: Any) -> None:
    """Copied elsewhere under another name, without anything of ours."""
    import shutil
    import subprocess
    from pathlib import Path

    import orchestrator.client

    shutil.copytree(Path(orchestrator.client.__file__).parent, tmp_path / "vendored" / "journeys")
    (tmp_path / "vendored" / "__init__.py").touch()
    words = "import sys; import vendored.journeys as j; c = j.Client('http://127.0.0.1:1'); c.close(0); "
    words += "sys.exit(any(name.partition('.')[0] in ('orchestrator', 'httpx2', 'pydantic') for name in sys.modules))"
    done = subprocess.run([sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(tmp_path)!r}); {words}"])
    assert done.returncode == 0


def test_what_waits_is_sent_at_the_end_of_a_process() -> None:
    import subprocess

    with served() as server:
        words = f"from orchestrator.client import Client; c = Client('{server.url}', '{KEY}', interval=60); "
        words += "[c.track('u', 'go', {'n': n}) for n in range(7)]"
        done = subprocess.run([sys.executable, "-c", words], timeout=30)
        assert done.returncode == 0 and sorted(server.events()) == list(range(7))
