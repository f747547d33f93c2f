"""Handing a group of messages to a channel: announced first where it knows no key, and sent once more where allowed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from functools import partial
from typing import NamedTuple

from orchestrator.channels.protocol import Answer, Channel, Outgoing
from orchestrator.core.claim import Claimed
from orchestrator.runtime.gates import HAND_OVER_WITHIN
from orchestrator.runtime.settlements import Rendered
from orchestrator.stores.protocol import Store, StoreBusy


class Ready(NamedTuple):
    """A message that may go. `again`: it may have gone before, through a channel that knows no key."""

    claimed: Claimed
    rendered: Rendered
    out: Outgoing
    again: bool = False


ready_of: Callable[[tuple[Claimed, Rendered, Outgoing, bool]], Ready] = partial(tuple.__new__, Ready)
"""From all fields in their order, without the calls that naming the class takes."""


class HandOver:
    """`real_at` tells the actual instant."""

    def __init__(self, store: Store, real_at: Callable[[], datetime]) -> None:
        self._store = store
        self._real_at = real_at

    def __call__(
        self, channel: Channel, ready: list[Ready], heard: Callable[[Sequence[Answer]], None] = lambda answers: None
    ) -> list[tuple[Ready, Answer | None]]:
        """Each message with its answer; None: it was not tried. Those that are not ours any more are left out.

        `heard` gets the channel's first answers. Raises StoreBusy before anything was handed over, never after it.
        """
        asked_at = self._real_at()
        ready = self._ours(channel, ready)
        if self._real_at() - asked_at > timedelta(seconds=HAND_OVER_WITHIN):
            return [(each, None) for each in ready]  # a process that was frozen has lost its lease
        if not ready:
            return []
        answers = _send(channel, ready)
        heard(answers)
        answered = list(zip(ready, answers))
        if channel.idempotent:
            self._count_tries([each for each, answer in answered if answer.outcome in ("retry", "unknown")])
        elif any(answer.outcome == "unknown" for answer in answers):
            answered = self._once_more(channel, answered)
        return [*answered]

    def _ours(self, channel: Channel, ready: list[Ready]) -> list[Ready]:
        """Write down that they are handed over now; those that somebody else claimed meanwhile are left to them."""
        if channel.idempotent or not ready:
            return ready
        ours = self._store.begin_hand_over([each.claimed for each in ready], self._real_at())
        return ready if len(ours) == len(ready) else [each for each in ready if each.claimed.row.id in ours]

    def _count_tries(self, tried: list[Ready]) -> None:
        """With a key nothing is written before a hand-over; that one failed has to be known for the next."""
        if tried:
            with suppress(StoreBusy):  # the settlement finds out, too; only the count of tries is short by one
                self._store.begin_hand_over([each.claimed for each in tried], self._real_at())

    def _once_more(self, channel: Channel, answered: list[tuple[Ready, Answer]]) -> list[tuple[Ready, Answer]]:
        """Send those again whose answer was lost and who may go twice: a second copy is better than none."""
        again = [
            each
            for each, answer in answered
            if answer.outcome == "unknown" and each.claimed.row.klass != "promotional" and each.claimed.begun == 0
        ]
        try:
            ours = self._ours(channel, again)
        except StoreBusy:  # it cannot be recorded, so it is not done: the first answer stands
            return answered
        second = dict(zip([each.out.id for each in ours], _send(channel, ours))) if ours else {}
        lost = {each.out.id for each in again} - second.keys()
        return [
            (each._replace(again=each.again or each.out.id in second), second.get(each.out.id, answer))
            for each, answer in answered
            if each.out.id not in lost
        ]


def _send(channel: Channel, ready: list[Ready]) -> Sequence[Answer]:
    try:
        answers = channel.send([each.out for each in ready])
    except Exception as error:  # the adapter broke its contract: nobody knows how far it came
        return [Answer("unknown", f"{type(error).__name__}: {error}")] * len(ready)
    if len(answers) != len(ready):
        return [Answer("unknown", f"{len(answers)} answers to {len(ready)} messages")] * len(ready)
    return answers
