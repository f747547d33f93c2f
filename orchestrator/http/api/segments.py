"""`/api/v1/segments`: who belongs together, how many they are, and who."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestrator.core.project import Segment
from orchestrator.errors import UsageError
from orchestrator.http.api import values
from orchestrator.http.api.call import Answer, Call, unknown
from orchestrator.http.api.frame import Api
from orchestrator.http.problems import HttpRefusal


class SegmentShown(values.Shown):
    """A segment. `size`: how many are in it, as the last turns found; `ready`: whether that tells of everybody yet
    (after a deploy it takes a while)."""

    name: str
    title: str
    size: int
    ready: bool


class MemberShown(values.Shown):
    """Somebody in a segment, since when the engine found so."""

    customer: str
    since: values.InstantShown


def add_segments_api(api: Api) -> None:
    """Reading alone: segments stand in files."""
    common: dict[str, Any] = {"tag": "segments", "scope": "segments:read"}
    api.add("GET", "/segments", _list, summary="List segments", answer=SegmentShown, paged=True, **common)
    api.add("GET", "/segments/{id}", _get, summary="Read a segment", answer=SegmentShown, **common)
    api.add(
        "GET", "/segments/{id}/members", _members, summary="Customers in a segment", answer=MemberShown, paged=True,
        description="In an order of the database's own.", **common,
    )  # fmt: skip


def _segments(call: Call) -> Mapping[str, Segment]:
    return {segment.name: segment for segment in call.store.index.project.segments}


def _shown(segment: Segment, sizes: Mapping[str, int], ready: frozenset[str]) -> dict[str, Any]:
    name = segment.name
    return {"name": name, "title": segment.title, "size": sizes.get(name, 0), "ready": name in ready}


def _ready(call: Call) -> frozenset[str]:
    return frozenset(build.segment for build in call.store.segment_builds() if build.usable)


def _list(call: Call) -> Answer:
    known = _segments(call)
    after = "" if call.after is None else str(call.after[0])
    names = sorted(name for name in known if name > after)[: call.limit + 1]
    sizes, ready = call.store.segment_sizes(), _ready(call)
    return call.page(names, lambda name: _shown(known[name], sizes, ready), lambda name: (name,))


def _named(call: Call) -> Segment:
    known = _segments(call)
    found = known.get(call.path["id"])
    if found is None:
        from orchestrator.core.expression.nearest import nearest

        raise unknown("unknown_segment", "there is no segment of this name", nearest(call.path["id"], known))
    return found


def _get(call: Call) -> Answer:
    return Answer(_shown(_named(call), call.store.segment_sizes(), _ready(call)))


def _members(call: Call) -> Answer:
    after = None if call.after is None else str(call.after[0])
    try:
        found, end = call.store.segment_members(_named(call).name, after, call.limit)
    except UsageError as error:
        raise HttpRefusal(400, "bad_cursor", str(error)) from None
    items = [{"customer": member.customer, "since": values.shown(member.since)} for member in found]
    return call.listed(items, None if end is None else (end,))
