"""The benchmarks of production still run, in small: what they find is not looked at, but that they find it."""

from __future__ import annotations

from benchmarks import http_ingest, obvious_celery, production, timers
from tests.in_full import long_form


def test_the_workload_and_its_floor_write_the_same_rows() -> None:
    figures = production.measure(customers=200, slice=200, pace=40)
    assert figures["rows"]["transitions"] == [5.0, 0.0, 0.0]
    assert figures["floor_rows"]["messages"] == [1.0, 1.0, 0.0]
    assert figures["of_floor"] > 0 and figures["times_its_cpu"] > 0


@long_form
def test_the_obvious_program_comes_to_its_end() -> None:
    assert obvious_celery.measure(5)["customers_a_second"] > 0


def test_what_is_answered_over_http_is_in_the_database() -> None:
    assert http_ingest.measure(1_000, connections=2)["events_a_second"] > 0


def test_a_claim_is_measured_among_those_who_wait() -> None:
    found = timers.claim(20_000)
    assert min(found.values()) > 0


def test_lateness_is_measured_with_messages_that_leave() -> None:
    found = timers.lateness(2_000, seconds=2, over=600, ahead=8)
    assert found["messages"] > 0 and found["p99"] >= found["p50"]
