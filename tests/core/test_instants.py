"""At which instant things are decided: due instants, an engine that came late, pauses (section 5 of the language)."""

from __future__ import annotations

from typing import Any

TWO_DAYS = {"steps": [{"wait": "1h"}, {"email": "hello"}, {"wait": "1h"}, {"email": "second"}]}
GO = {"at": "+0m", "event": "go"}


def test_waits_count_from_each_other(tell: Any, shown: Any) -> None:
    assert shown(tell(TWO_DAYS, [GO])) == [
        ("10:00", "entered", None),
        ("10:00", "waiting", "wait_1"),
        ("11:00", "message", "email_1"),
        ("11:00", "waiting", "wait_2"),
        ("12:00", "message", "email_2"),
        ("12:00", "completed", None),
    ]


def test_an_outage_moves_what_follows_and_bunches_nothing(tell: Any, shown: Any) -> None:
    """Down from 10:30 to 15:30: the first message goes then, the second an hour later."""
    assert shown(tell(TWO_DAYS, [GO, {"at": "+30m", "stall": "5h"}]))[2:] == [
        ("15:30", "message", "email_1"),
        ("15:30", "waiting", "wait_2"),
        ("16:30", "message", "email_2"),
        ("16:30", "completed", None),
    ]


def test_a_short_outage_leaves_the_due_instants_alone(tell: Any, shown: Any) -> None:
    """Down from 10:58 to 11:03: the decision still stands at 11:00."""
    assert shown(tell(TWO_DAYS, [GO, {"at": "+58m", "stall": "5m"}]))[2:4] == [
        ("11:00", "message", "email_1"),
        ("11:00", "waiting", "wait_2"),
    ]


def test_after_an_outage_events_come_before_overdue_timers(tell: Any, shown: Any) -> None:
    """The message was due at 11:00; the purchase of 14:00 stops it, because both waited for the engine."""
    timeline = [GO, {"at": "+30m", "stall": "5h"}, {"at": "+4h", "event": "stop"}]
    journey = {**TWO_DAYS, "exit": {"event": "stop"}}
    assert shown(tell(journey, timeline))[2:] == [("15:30", "exited", "wait_1")]


def test_an_event_that_waited_longer_than_the_tolerance_is_decided_when_the_engine_comes(tell: Any, shown: Any) -> None:
    lines = tell({"steps": []}, [{"at": "+0m", "stall": "1h"}, {"at": "+10m", "event": "go"}])
    assert shown(lines) == [("11:00", "entered", None), ("11:00", "completed", None)]


def test_an_event_that_hardly_waited_is_decided_at_its_arrival(tell: Any, shown: Any) -> None:
    lines = tell({"steps": []}, [{"at": "+0m", "stall": "1h"}, {"at": "+56m", "event": "go"}])
    assert shown(lines) == [("10:56", "entered", None), ("10:56", "completed", None)]


def test_validity_counts_from_the_first_due_instant_even_over_an_outage(tell: Any, shown: Any) -> None:
    journey = {"steps": [{"wait": "1h"}, {"email": {"template": "hello", "valid_for": "2h"}}]}
    stalled = [GO, {"at": "+30m", "stall": "3h"}]  # until 13:30; the message was valid until 13:00
    assert shown(tell(journey, stalled), "reason")[2:] == [
        ("13:30", "suppressed", "email_1", "expired"),
        ("13:30", "completed", None, None),
    ]
    shorter = [GO, {"at": "+30m", "stall": "2h"}]
    assert shown(tell(journey, shorter))[2] == ("12:30", "message", "email_1")


def test_lateness_is_judged_at_the_entry_too(tell: Any, shown: Any) -> None:
    journey = {"steps": [{"email": "hello"}], "late": {"after": "6h", "then": "skip_messages"}}
    late = [{"at": "+0m", "stall": "8h"}, {"at": "+1h", "event": "go"}]
    assert shown(tell(journey, late), "reason")[1] == ("18:00", "suppressed", "email_1", "late")
    not_late = [{"at": "+0m", "stall": "8h"}, {"at": "+2h", "event": "go"}]
    assert shown(tell(journey, not_late))[1] == ("18:00", "message", "email_1")


def test_lateness_ends_an_enrollment(tell: Any, shown: Any) -> None:
    journey = {**TWO_DAYS, "late": {"after": "2h", "then": "exit"}}
    assert shown(tell(journey, [GO, {"at": "+30m", "stall": "3h"}]), "reason")[2:] == [
        ("13:30", "exited", "wait_1", "late")
    ]
    assert shown(tell(journey, [GO, {"at": "+30m", "stall": "2h"}]))[2] == ("12:30", "message", "email_1")


def test_lateness_of_a_hold_is_judged_at_its_release(tell: Any, shown: Any) -> None:
    quiet = {"quiet_hours": {"from": "09:00", "to": "11:00"}, "settings": {"smear": "0s"}}
    journey = {"steps": [{"email": "hello"}, {"email": "second"}], "late": {"after": "2h", "then": "exit"}}
    lines = tell(journey, [GO, {"at": "+30m", "stall": "4h"}], project=quiet)
    assert shown(lines, "reason") == [
        ("10:00", "entered", None, None),
        ("10:00", "held", "email_1", "quiet_hours"),
        ("14:30", "exited", "email_1", "late"),
    ]


def test_messages_that_are_late_are_skipped_until_the_next_wait(tell: Any, shown: Any) -> None:
    journey = {
        "steps": [{"wait": "1h"}, {"email": "hello"}, {"sms": "hello"}, {"wait": "1h"}, {"email": "second"}],
        "late": {"after": "2h", "then": "skip_messages"},
    }
    assert shown(tell(journey, [GO, {"at": "+30m", "stall": "4h"}]), "reason")[2:] == [
        ("14:30", "suppressed", "email_1", "late"),
        ("14:30", "suppressed", "sms_1", "late"),
        ("14:30", "waiting", "wait_2", None),
        ("15:30", "message", "email_2", None),
        ("15:30", "completed", None, None),
    ]


# --- pauses ------------------------------------------------------


def test_after_a_pause_overdue_timers_are_due_at_its_end(tell: Any, shown: Any) -> None:
    project = {"settings": {"smear": "0s"}}
    timeline = [GO, {"at": "+30m", "pause": "j"}, {"at": "+3h", "resume": "j"}]
    assert shown(tell(TWO_DAYS, timeline, project=project))[2:] == [
        ("13:00", "message", "email_1"),
        ("13:00", "waiting", "wait_2"),
        ("14:00", "message", "email_2"),
        ("14:00", "completed", None),
    ]


def test_after_a_short_pause_the_due_instant_is_its_end_too(tell: Any, shown: Any) -> None:
    project = {"settings": {"smear": "0s"}}
    timeline = [GO, {"at": "+59m", "pause": "j"}, {"at": "+62m", "resume": "j"}]
    assert shown(tell(TWO_DAYS, timeline, project=project))[2:4] == [
        ("11:02", "message", "email_1"),
        ("11:02", "waiting", "wait_2"),
    ]


def test_after_a_pause_people_are_smeared(tell: Any) -> None:
    customers = [{"id": f"u{number}", "email": f"u{number}@example.com"} for number in range(30)]
    timeline = [{**GO, "customer": who["id"]} for who in customers]
    lines = tell(
        {"topic": "orders", "steps": [{"wait": "1h"}, {"email": "hello"}]},
        [*timeline, {"at": "+30m", "pause": "j"}, {"at": "+3h", "resume": "j"}],
        customers,
    )
    instants = sorted(line["at"] for line in lines if line["type"] == "message")
    assert len(instants) == 30
    assert instants[0] >= "2026-03-02T13:00:00Z"
    assert instants[-1] < "2026-03-02T13:15:00Z"
    assert len(set(instants)) > 20


def test_timers_that_are_not_overdue_keep_their_instant_over_a_pause(tell: Any, shown: Any) -> None:
    timeline = [GO, {"at": "+10m", "pause": "j"}, {"at": "+20m", "resume": "j"}]
    assert shown(tell(TWO_DAYS, timeline))[2] == ("11:00", "message", "email_1")


def test_a_paused_journey_refuses_entries_and_still_hears_exits(tell: Any, shown: Any) -> None:
    journey = {**TWO_DAYS, "exit": {"event": "stop"}, "enter": {"event": "go", "key": "event.n"}}
    timeline = [
        {**GO, "properties": {"n": 1}},
        {"at": "+10m", "pause": "j"},
        {"at": "+20m", "event": "go", "properties": {"n": 2}},
        {"at": "+30m", "event": "stop"},
        {"at": "+4h", "resume": "j"},
    ]
    assert shown(tell(journey, timeline), "reason")[2:] == [
        ("10:20", "refused", None, "paused"),
        ("10:30", "exited", "wait_1", "stop"),
    ]
