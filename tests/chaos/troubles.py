"""What goes wrong in a production round besides the blows at named points: each a function of the round's place."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Final

from redis.exceptions import RedisError

from orchestrator.wiring.broker import KEY_PREFIX, LANES
from tests.chaos.fleet import Fleet, Role
from tests.chaos.mailbox import Mailbox
from tests.chaos.striking import Strike
from tests.servers.postgres import PostgresServer
from tests.servers.redis import RedisServer


@dataclass
class Field:
    """Where troubles come up. `editions`: the folders of two editions of the project; `live`: which is to be deployed
    last."""

    random: Random
    fleet: Fleet
    postgres: PostgresServer
    redis: RedisServer
    mailbox: Mailbox
    editions: tuple[Path, Path]
    live: int = 0

    def one(self, kind: str) -> Role:
        """One of the processes of a kind."""
        return self.random.choice([role for role in self.fleet.running if role.kind == kind])


def kill_worker(field: Field) -> None:
    """The parent, a child, or all at once."""
    field.fleet.kill(field.one("worker"), field.random.choice(["parent", "child", "child", "group"]))


def kill_api(field: Field) -> None:
    """Requests under way are cut off."""
    field.fleet.kill(field.one("serve"), "group")


def kill_beat(field: Field) -> None:
    """One of two."""
    field.fleet.kill(field.one("beat"), "group")


def freeze_worker(field: Field) -> None:
    """Longer than its leases."""
    field.fleet.freeze(field.one("worker"))


def freeze_api(field: Field) -> None:
    """Longer than its clients wait."""
    field.fleet.freeze(field.one("serve"))


def freeze_beat(field: Field) -> None:
    """One of two."""
    field.fleet.freeze(field.one("beat"))


def stop_postgres(field: Field) -> None:
    """A fast stop, or an immediate one, which is a crash; then it begins again."""
    field.postgres.stop(field.random.choice([signal.SIGINT, signal.SIGQUIT]))
    time.sleep(field.random.uniform(0.0, 0.5))
    field.postgres.start()


def flush_redis(field: Field) -> None:
    """FLUSHALL: queues, and what workers hold unacknowledged."""
    field.redis.flush()


def restart_redis(field: Field) -> None:
    """Killed, away for a moment, and empty."""
    field.redis.stop(signal.SIGKILL)
    time.sleep(field.random.uniform(0.0, 0.5))
    field.redis.start()


def repeat_nudges(field: Field) -> None:
    """Every message of the broker ten times, in reverse: gathered for a while in which nobody takes any."""
    workers = [role for role in field.fleet.running if role.kind == "worker"]
    for role in workers:
        field.fleet.stop_taking(role)
    time.sleep(0.6)
    with suppress(RedisError), field.redis.client() as client:
        for key in (f"{KEY_PREFIX}{lane}" for lane in LANES):
            found = client.lrange(key, 0, -1)
            client.delete(key)
            if found:
                client.rpush(key, *[message for message in found for _ in range(10)])
    for role in workers:
        field.fleet.go_on(role)


def lose_answers(field: Field) -> None:
    """The provider takes the next messages, and times out or hangs up."""
    field.mailbox.moods.extend(field.random.choices(["hang_after", "drop_after"], k=field.random.randint(1, 6)))


def deploy(field: Field) -> None:
    """Another edition while customers wait in the first; next time the first one again. It may die on the way."""
    field.live = 1 - field.live
    strikes = [Strike("kill", "after_deploy")] if field.random.random() < 0.2 else []
    field.fleet.run("--project", str(field.editions[field.live]), "deploy", "--yes", strikes=strikes)


TROUBLES: Final[dict[str, Callable[[Field], None]]] = {
    trouble.__name__: trouble
    for trouble in (
        kill_worker, kill_api, kill_beat, freeze_worker, freeze_api, freeze_beat, stop_postgres, flush_redis,
        restart_redis, repeat_nudges, lose_answers, deploy,
    )
}  # fmt: skip
