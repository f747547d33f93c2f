"""Many messages on their way at once, in one thread: whichever server answers is served next.

A thread for each message would do the same, and take three times the processor's time: most of a hand-over is waiting.
"""

from __future__ import annotations

import select
from collections.abc import Sequence
from typing import Final, NamedTuple

from orchestrator.channels.mime import Mime
from orchestrator.channels.protocol import Answer
from orchestrator.channels.smtp_session import SmtpSession, Steps
from orchestrator.channels.smtp_wire import Clock

STUCK: Final = 1.5
"""Seconds: where one connection took so long to take what was sent over it, the others' messages go back before a byte
of them is gone, so that they are looked at again: their readers may have opted out meanwhile."""


class _Ride(NamedTuple):
    place: int
    session: SmtpSession
    steps: Steps[Answer | None]


def hand_over_together(rides: Sequence[tuple[SmtpSession, Mime]], deadline: float, clock: Clock) -> list[Answer | None]:
    """The answer to each message; None: its connection was gone before anything was handed over."""
    answers: list[Answer | None] = [None] * len(rides)
    poll, waiting = select.poll(), dict[int, _Ride]()
    for place, (session, mail) in enumerate(rides):
        number, ride = session.fileno(), _Ride(place, session, session.handing_over(mail, deadline))
        if _goes_on(ride, answers):
            waiting[number] = ride
            poll.register(number, select.POLLIN)
    while waiting:
        left = deadline - clock()
        ready = poll.poll(max(0.0, left) * 1000) if left > 0 else []
        # Past the deadline each of them finds out by itself.
        for number in [number for number, _ in ready] or list(waiting):
            if number not in waiting:
                continue
            began_at = clock()
            if not _goes_on(waiting[number], answers):
                poll.unregister(number)
                del waiting[number]
            if clock() - began_at > STUCK:
                _give_back(waiting, poll, answers)
    return answers


def _give_back(waiting: dict[int, _Ride], poll: select.poll, answers: list[Answer | None]) -> None:
    for number in [number for number, ride in waiting.items() if not ride.session.sending]:
        ride = waiting.pop(number)
        poll.unregister(number)
        ride.steps.close()
        ride.session.close()
        answers[ride.place] = Answer("retry", "the mail server was slow to take another message", after=1.0)


def _goes_on(ride: _Ride, answers: list[Answer | None]) -> bool:
    """Take the next step of a hand-over. Whether there is another one."""
    try:
        next(ride.steps)
    except StopIteration as done:
        answers[ride.place] = done.value
        return False
    except Exception as error:  # our bug, or a library's: what became of the message is not known
        ride.session.close()
        answers[ride.place] = Answer("unknown", f"{type(error).__name__}: {error}")
        return False
    return True
