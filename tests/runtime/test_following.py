"""Webhooks are told every line in order, at least once, in batches that keep their id, whatever receivers and
processes do."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Response

from orchestrator.channels.http_caller import HttpCaller
from orchestrator.channels.http_outgoing import Signer
from orchestrator.runtime.alarms import WEBHOOK as FEED
from orchestrator.runtime.following import LEASE, LONGEST_REST, follow_once, rest_after
from orchestrator.runtime.webhook_batches import Receiver
from orchestrator.runtime.webhook_care import go_on, send_again, skip_all, skip_batch, standings, try_out
from orchestrator.stores.memory import MemoryStore
from orchestrator.stores.protocol import Store
from tests.in_full import IN_FULL
from tests.runtime.webhook_project import index_for
from tests.runtime.webhook_world import ALLOWED, Listening, World, closing
from tests.servers.postgres import clean_database
from tests.stores.driving import START
from tests.stores.till_process import opened

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8G"


@pytest.fixture(scope="module")
def server() -> Iterator[HTTPServer]:
    """One for all tests: to end one takes half a second."""
    with HTTPServer(host="127.0.0.1", port=0, threaded=True) as found:
        yield found


@pytest.fixture
def sink(server: HTTPServer) -> Listening:
    server.clear()
    return Listening(server)


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with ExitStack() as stack:
        if request.param == "memory":
            yield MemoryStore(keep_journal=True)
        elif request.param == "sqlite":
            yield closing(stack, opened(str(tmp_path / "w.db")))
        else:
            yield closing(stack, opened(stack.enter_context(clean_database())))


@pytest.fixture
def quick(tmp_path: Path) -> Store:
    """For what no database changes."""
    return MemoryStore(keep_journal=True)


def feed_of(world: World) -> Any:
    found = world.store.feed(FEED + "crm")
    assert found is not None
    return found


def slowly(seconds: float, status: int) -> Callable[[int], int]:
    def answer(call: int) -> int:
        time.sleep(seconds)
        return status

    return answer


def test_a_receiver_hears_every_line_once_and_in_order(store: Store, sink: Listening) -> None:
    world = World(store, sink, HttpCaller(ALLOWED, SECRET), batch=4)
    expected = world.happen(["a", "b", "c"])
    assert world.follow() == 3 and sink.said == expected
    assert [len(told.lines) for told in sink.told] == [4, 4, 1]
    assert world.follow() == 0
    expected += world.happen(["d"])
    assert world.follow() == 1 and sink.said == expected
    ids = [line["id"] for told in sink.told for line in told.lines]
    assert len(set(ids)) == len(ids) and len({told.id for told in sink.told}) == 4
    assert world.counts == {"hook:crm:delivered": 4, "hook:crm:lines": 12} and feed_of(world).batch == 4
    [told] = sink.told[3:]
    assert told.body["type"] == "journal.lines" and told.body["data"]["batch"] == 4
    assert told.headers["content-type"] == "application/json" and told.headers["webhook-id"] == told.id
    assert told.headers["webhook-signature"].startswith("v1,")


def test_failures_rest_longer_and_longer_and_tell_the_same_again(quick: Store, sink: Listening) -> None:
    world = World(quick, sink, batch=3)
    expected = world.happen(["a", "b"])
    sink.answer = lambda call: 503 if call <= 3 else 204
    for rest in (1, 2, 4):
        assert world.follow() == 1 and world.follow() == 0
        expected += world.happen([f"x{rest}"])  # what comes meanwhile joins no batch that was told
        world.later(rest - 0.1)
        assert world.follow() == 0, "it rests"
        world.later(0.2)
    assert feed_of(world).reason == "the answer was 503" and feed_of(world).since == START
    world.follow()
    assert len({told.id for told in sink.told[:4]}) == 1 and all(told.said == expected[:3] for told in sink.told[:4])
    assert sink.said[9:] == expected, "nothing went before what failed, and nothing is lost"
    assert feed_of(world).tries == 0 and feed_of(world).reason == ""


def test_a_process_that_is_killed_after_the_answer_tells_the_same_again(tmp_path: Path, sink: Listening) -> None:
    with ExitStack() as stack:
        places = [str(tmp_path / "k.db"), *([stack.enter_context(clean_database())] if IN_FULL else [])]
        for place in places:
            sink.told.clear()
            world = World(closing(stack, opened(place)), sink, batch=3)
            expected = world.happen(["a"])
            words = [sys.executable, "-m", "tests.runtime.follow_process", place, sink.url]
            ended = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
            assert ended.returncode == -9 and ended.stdout == "204 None\n", ended.stderr
            expected += world.happen(["b"])
            assert world.follow() == 0 and len(sink.told) == 1, "the batch is the other's until its lease runs out"
            world.later(LEASE.total_seconds() + 10)
            world.follow()
            assert [told.said for told in sink.told] == [expected[:3], expected[:3], expected[3:]]
            assert sink.told[0].id == sink.told[1].id != sink.told[2].id


def test_two_processes_tell_one_thing_once(tmp_path: Path, sink: Listening) -> None:
    """While one waits for its answer the other begins nothing; who was frozen for too long settles nothing."""
    with ExitStack() as stack:
        place = stack.enter_context(clean_database())
        world = World(closing(stack, opened(place)), sink, batch=3)
        twin = closing(stack, opened(place))
        twin.adopt(index_for(batch=3))
        expected = world.happen(["a", "b"])
        receiver = Receiver(sink.url, HttpCaller(ALLOWED))
        meanwhile: list[int] = []

        def other() -> int:
            return follow_once(twin, lambda webhook: receiver, lambda: world.at)

        class Frozen:
            def call(self, request: Any) -> Any:
                meanwhile.append(other())
                world.later(60)
                meanwhile.append(other())
                return HttpCaller(ALLOWED).call(request)

        world._caller = Frozen()
        assert world.follow() == 1
        assert meanwhile == [0, 2], "its lease ran out: the twin told both batches"
        assert [told.said for told in sink.told] == [expected[:3], expected[3:], expected[:3]]
        assert sink.told[0].id == sink.told[2].id and world.counts == {}
        assert feed_of(world).batch == 2 and world.follow() == 0


@pytest.mark.parametrize("status", [410, 500])
def test_who_is_gone_or_must_not_miss_anything_is_told_nothing_more(quick: Store, sink: Listening, status: int) -> None:
    world = World(quick, sink, batch=3, give_up_after="1m", stop_on_failure=True)
    expected = world.happen(["a", "b"])
    sink.answer = lambda call: status
    for _ in range(20):
        world.follow()
        world.later(10)
    assert feed_of(world).paused and (len(sink.told) == 1 if status == 410 else 4 < len(sink.told) < 8)
    sink.told.clear()
    [stands] = standings(quick, ["crm"], START + timedelta(minutes=5))
    assert stands.state == "paused" and stands.reason and stands.lag == timedelta(minutes=5)
    sink.answer = lambda call: 200
    world.later(86_400)
    assert world.follow() == 0
    assert go_on(quick, quick.index.project.webhooks["crm"]) and world.follow() == 2 and sink.said == expected
    assert not go_on(quick, quick.index.project.webhooks["crm"])


def test_what_is_not_taken_is_put_aside_and_the_rest_goes_on(store: Store, sink: Listening) -> None:
    world = World(store, sink, batch=3, give_up_after="1m")
    expected = world.happen(["a", "b", "c"])
    sink.answer = lambda call: 422 if sink.told[-1].said == expected[:3] else 204
    for _ in range(8):
        world.follow()
        world.later(20)
    assert set(sink.said) == set(expected) and world.counts["hook:crm:put_aside"] == 1
    assert sink.said[-6:] == expected[3:]
    webhook, receiver = store.index.project.webhooks["crm"], Receiver(sink.url, HttpCaller(ALLOWED))
    assert store.letters_left(FEED + "crm") == 3
    again = send_again(store, webhook, receiver, world.at)
    assert (again.sent, again.left, again.reason) == (0, 3, "the answer was 422")
    sink.answer = lambda call: 204
    assert send_again(store, webhook, receiver, world.at) == (3, 0, "")
    assert sorted(sink.told[-1].said) == sorted(expected[:3]) and store.letters_left(FEED + "crm") == 0


def test_operators_skip_what_it_is_stuck_on(quick: Store, sink: Listening) -> None:
    world = World(quick, sink, batch=3)
    expected = world.happen(["a", "b", "c"])
    webhook = quick.index.project.webhooks["crm"]
    assert skip_batch(quick, webhook, START) == 0, "it was told nothing yet, and has no place"
    sink.answer = lambda call: 500
    world.follow()
    assert skip_batch(quick, webhook, START) == 3 and quick.letters_left(FEED + "crm") == 3
    sink.answer = lambda call: 204
    sink.told.clear()
    world.follow()
    assert sink.said == expected[3:]
    world.happen(["d"])
    assert skip_all(quick, webhook) and world.follow() == 0
    expected = world.happen(["e"])
    sink.told.clear()
    world.follow()
    assert sink.said == expected


def test_only_what_was_asked_for_leaves(quick: Store, sink: Listening) -> None:
    world = World(quick, sink, where="line.key != 'b' and (line.type == 'entered' or line.name == 'pong')")
    world.happen(["a", "b", "c"])
    world.follow()
    assert sink.said == [("a", "entered"), ("a", "event"), ("c", "entered"), ("c", "event")]
    assert all("properties" not in line and "at" in line and line["customer"] == "u1" for line in sink.told[0].lines)


def test_personal_data_leaves_where_that_is_said(quick: Store, sink: Listening) -> None:
    world = World(quick, sink, personal=True)
    world.happen(["a"])
    world.follow()
    assert [line.get("properties") for line in sink.told[0].lines] == [None, {"n": 7}, None]


def test_lines_that_no_webhook_wants_are_passed_over(quick: Store, sink: Listening) -> None:
    world = World(quick, sink, lines=["exited"])
    world.happen(["a", "b"])
    assert world.follow() == 0 and sink.told == []
    [stands] = standings(quick, ["crm"], START + timedelta(minutes=5))
    assert stands.lag == timedelta(0) and stands.state == "going" and stands.batches == 0


def test_a_new_webhook_begins_with_what_comes(store: Store, sink: Listening) -> None:
    world = World(store, sink, past=False)
    assert [one.state for one in standings(store, ["crm"], START)] == ["new"]
    world.happen(["a"])
    assert world.follow() == 0
    expected = world.happen(["b"])
    world.follow()
    assert sink.said == expected


def test_slow_redirecting_and_internal_receivers_are_failures(quick: Store, sink: Listening) -> None:
    world = World(quick, sink, timeout="1s")
    world.happen(["a"])
    sink.answer = lambda call: Response(status=302, headers={"location": sink.url})
    world.follow()
    assert feed_of(world).reason == "the answer was 302" and len(sink.told) == 1, "a webhook follows nobody"
    sink.answer = slowly(1.3, 204)
    world.later(5)
    world.follow()
    assert "time" in feed_of(world).reason
    world._caller = HttpCaller([])
    world.later(5)
    world.follow()
    assert "refused" in feed_of(world).reason and len(sink.told) == 2
    world._caller = HttpCaller(ALLOWED)
    sink.answer = lambda call: Response(b"x" * 20_000_000, status=200)
    world.later(60)
    assert world.follow() == 1 and feed_of(world).batch == 1, "what it says behind its 2xx is nothing to us"


def test_one_that_hangs_keeps_no_other_waiting(quick: Store, server: HTTPServer, sink: Listening) -> None:
    slow = Listening(server, "/slow")
    world = World(quick, sink, batch=1)
    project = quick.index.project
    hooks = {name: replace(project.webhooks["crm"], name=name) for name in ("slow", "crm")}
    object.__setattr__(project, "webhooks", hooks)
    try:
        expected = world.happen(["a", "b"])
        slow.answer = slowly(0.4, 500)
        at = {name: Receiver(to.url, HttpCaller(ALLOWED)) for name, to in (("slow", slow), ("crm", sink))}
        follow_once(quick, lambda webhook: at[webhook.name], lambda: world.at, seconds=0.05)
    finally:
        object.__setattr__(project, "webhooks", {"crm": hooks["crm"]})
    assert sink.said == expected and len(slow.told) == 1


def test_the_signature_and_a_call_that_tells_nothing(quick: Store, sink: Listening) -> None:
    World(quick, sink)
    webhook = quick.index.project.webhooks["crm"]
    assert try_out(webhook, Receiver(sink.url, HttpCaller(ALLOWED, SECRET)), START) == (204, None)
    [told] = sink.told
    assert told.lines == [] and told.body["type"] == "webhook.test" and Signer(SECRET)


def test_rests_grow_to_their_longest_and_differ() -> None:
    rests = [rest_after(tries, 1.0) for tries in range(1, 100)]
    assert rests == sorted(rests) and rests[-1] == LONGEST_REST
    assert rest_after(3, 0.0) == rest_after(3, 1.0) / 2
