"""A*: the program that one would write first: a Celery task for each step, an ORM, and waits by countdown.

It does less than the engine: no dedupe, journal, consent, quiet hours, caps, ledger states or retries. Two prefork
processes, the same Redis and PostgreSQL as everything else; an event, a wait of a second, a condition on an attribute
and a count in the last 30 days, a message row with a unique key, the end. `celery -A benchmarks.obvious_celery worker`
is started by `measure`; ids of customers are all that its tasks carry.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

from celery import Celery  # type: ignore[import-untyped]
from sqlalchemy import ForeignKey, create_engine, func, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.machine import cpu_of, described, production_postgres, until
from tests.servers.redis import new_redis

ROOT: Final = Path(__file__).resolve().parents[1]
WAIT: Final = 1
_BROKER: Final = "OBVIOUS_BROKER"
_DATABASE: Final = "OBVIOUS_DATABASE"

app = Celery("obvious", broker=os.environ.get(_BROKER, "memory://"))
app.conf.update(task_ignore_result=True, task_acks_late=True, worker_prefetch_multiplier=1)
_engine = create_engine(os.environ.get(_DATABASE, "sqlite://"))


class Base(DeclarativeBase):
    """Tables of the program."""


class Customer(Base):
    """Somebody."""

    __tablename__ = "customers"
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
    tier: Mapped[str]


class Event(Base):
    """What a customer did."""

    __tablename__ = "events"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), index=True)
    name: Mapped[str]
    at: Mapped[datetime]


class Enrollment(Base):
    """A passage through the journey."""

    __tablename__ = "enrollments"
    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customers.id"), unique=True)
    step: Mapped[str]
    status: Mapped[str] = mapped_column(index=True)


class Message(Base):
    """What was sent."""

    __tablename__ = "messages"
    id: Mapped[int] = mapped_column(primary_key=True)
    enrollment_id: Mapped[int] = mapped_column(ForeignKey("enrollments.id"), unique=True)
    text: Mapped[str]
    status: Mapped[str]


@app.task(name="obvious.event")  # type: ignore[untyped-decorator]
def event(customer_id: int) -> None:
    """An event comes in, and begins the journey."""
    with Session(_engine) as session:
        session.add(Event(customer_id=customer_id, name="quote_requested", at=datetime.now(UTC).replace(tzinfo=None)))
        session.commit()
    enter.delay(customer_id)


@app.task(name="obvious.enter")  # type: ignore[untyped-decorator]
def enter(customer_id: int) -> None:
    """The first step: wait."""
    with Session(_engine) as session:
        enrollment = Enrollment(customer_id=customer_id, step="wait", status="active")
        session.add(enrollment)
        session.commit()
        decide.apply_async((enrollment.id,), countdown=WAIT)


@app.task(name="obvious.decide")  # type: ignore[untyped-decorator]
def decide(enrollment_id: int) -> None:
    """The condition."""
    with Session(_engine) as session:
        enrollment = session.get_one(Enrollment, enrollment_id)
        customer = session.get_one(Customer, enrollment.customer_id)
        since = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=30)
        count = session.scalar(
            select(func.count()).select_from(Event).where(Event.customer_id == customer.id, Event.at > since)
        )
        yes = customer.tier in ("gold", "platinum") and bool(count)
        enrollment.step = "message" if yes else "end"
        session.commit()
    (send if yes else end).delay(enrollment_id)


@app.task(name="obvious.send")  # type: ignore[untyped-decorator]
def send(enrollment_id: int) -> None:
    """The message."""
    with Session(_engine) as session:
        enrollment = session.get_one(Enrollment, enrollment_id)
        customer = session.get_one(Customer, enrollment.customer_id)
        message = Message(enrollment_id=enrollment.id, text=f"Dear {customer.email}, ten percent less", status="queued")
        session.add(message)
        session.commit()
        message.status = "sent"
        session.commit()
    end.delay(enrollment_id)


@app.task(name="obvious.end")  # type: ignore[untyped-decorator]
def end(enrollment_id: int) -> None:
    """The end."""
    with Session(_engine) as session:
        session.get_one(Enrollment, enrollment_id).status = "completed"
        session.commit()


def measure(customers: int) -> dict[str, Any]:
    """Customers a second, and microseconds of CPU for each, of all processes."""
    redis = new_redis().start()
    try:
        with production_postgres() as server:
            server.execute("CREATE DATABASE obvious")
            url = server.url("obvious").replace("postgresql:", "postgresql+psycopg:")
            engine = create_engine(url)
            Base.metadata.create_all(engine)
            with Session(engine) as session:
                session.add_all(Customer(id=n, email=f"c{n}@example.com", tier="gold") for n in range(1, customers + 1))
                session.commit()
            environment = {**os.environ, _BROKER: redis.url, _DATABASE: url, "PYTHONPATH": str(ROOT)}
            words = [sys.executable, "-m", "celery", "-A", "benchmarks.obvious_celery", "worker", "--concurrency", "2"]
            worker = subprocess.Popen(
                [*words, "--loglevel", "ERROR"], env=environment, cwd=ROOT, stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            try:
                return _measured(engine, customers, redis, [worker.pid, server.pid])
            finally:
                worker.terminate()
                worker.wait()
                engine.dispose()
    finally:
        redis.remove()


def _measured(engine: Any, customers: int, redis: Any, processes: list[int]) -> dict[str, Any]:
    app.conf.broker_url = redis.url

    def done() -> int:
        with Session(engine) as session:
            query = select(func.count()).select_from(Enrollment).where(Enrollment.status == "completed")
            return session.scalar(query) or 0

    event.delay(1)
    until(lambda: done() == 1, 120, "the first customer")
    with redis.client() as client:
        processes = [*processes, int(client.info("server")["process_id"])]
    before, began = cpu_of(processes), time.monotonic()
    for number in range(2, customers + 1):
        event.delay(number)
    seconds = until(lambda: done() == customers, 60 + customers, "all customers") - began
    taken = cpu_of(processes) - before
    return {
        "customers": customers,
        "customers_a_second": round((customers - 1) / seconds, 1),
        "cpu_us": round(taken / (customers - 1) * 1e6),
    }


def main() -> int:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--customers", type=int, default=2_000)
    print(json.dumps({**measure(parser.parse_args().customers), **described()}))
    return 0


if __name__ == "__main__":
    from benchmarks.obvious_celery import main as named  # tasks of `__main__` would have other names

    sys.exit(named())
