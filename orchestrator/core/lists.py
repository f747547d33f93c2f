"""Lists that are uploaded: who is on one, and rows that are uploaded to journeys."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestrator.core.entering import Attempt, try_to_enter
from orchestrator.core.inbox import ListChanged, RowUploaded

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


def change_list(turn: CustomerTurn, item: ListChanged) -> None:
    """Put the customer on a list, or take it off. What stands so already leaves no trace."""
    segment = turn.index.segments.get(item.segment)
    if segment is None or not segment.listed:
        return  # it was removed since
    if item.member == (item.segment in turn.customer.segments):
        return
    customer = turn.edit_customer()
    name = frozenset({item.segment})
    customer.segments = customer.segments | name if item.member else customer.segments - name
    edge = "entered" if item.member else "left"
    turn.say("segment", {"name": item.segment, "edge": edge})
    identity = turn.occasion("segment", item.segment, edge)
    turn.emit_event("segment_changed", {"segment": item.segment, "edge": edge}, identity)


def take_row(turn: CustomerTurn, item: RowUploaded) -> None:
    """Let the customer into the journeys that this upload is for, once for each row."""
    for journey, triggers in turn.index.by_upload.get(item.upload, ()):
        identity = f"upload:{item.upload}:{item.occurrence}"
        try_to_enter(turn, journey, triggers, Attempt("upload", item.values, turn.t, identity))
