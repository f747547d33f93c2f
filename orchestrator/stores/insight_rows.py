"""What became of the enrollments and messages of a journey, counted in a database by one look at each table. One text
of SQL for both, as in orchestrator.stores.erasing."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from orchestrator.stores.erasures import Run
from orchestrator.stores.instants import micros
from orchestrator.stores.protocol_lists import JourneyCounts


def journey_counts(run: Run, journey: str, since: datetime | None, until: datetime | None) -> JourneyCounts:
    """Both counts, over all shards."""
    enrollments = _counted(run, "enrollments", "entered_at", "status, coalesce(reason, '')", journey, since, until)
    messages = _counted(
        run, "messages", "at", "channel, status", journey, since, until, ", count(opened_at), count(clicked_at)"
    )
    return JourneyCounts(
        {(status, reason): count for status, reason, count in enrollments},
        {(channel, status): (count, opened, clicked) for channel, status, count, opened, clicked in messages},
    )


def _counted(
    run: Run, table: str, at: str, by: str, journey: str, since: datetime | None, until: datetime | None, more: str = ""
) -> list[tuple[Any, ...]]:
    where, values = "journey = ?", [journey]
    for compared, bound in ((">=", since), ("<", until)):
        if bound is not None:
            where += f" AND {at} {compared} ?"
            values.append(micros(bound))  # type: ignore[arg-type]
    rows: list[tuple[Any, ...]] = run(
        f"SELECT {by}, count(*){more} FROM {table} WHERE {where} GROUP BY {by}", *values
    ).fetchall()
    return rows
