"""A canary: a share of those who come to a new version of a journey goes on at once, the others after a hold.

Who is of the share is drawn by a hash of the customer's id, so that it is the same customers whenever it is asked, and
a larger share holds all of a smaller one. Meanwhile the others enter the version that was live before, as far as it has
the same doors; where there is none, they stand before the first step of their enrollment: kept, counted, and free to
leave by the journey's exits.
"""

from __future__ import annotations

from dataclasses import fields
from datetime import datetime
from typing import Final, Literal, NamedTuple, TypeAlias

from orchestrator.core.identity import share
from orchestrator.core.program import Journey, Trigger, TriggerBase

HELD: Final = "canary"
"""How an enrollment stands that is held before its first step, the reason that is told, and why it leaves when the
canary is taken back."""
CanaryState: TypeAlias = Literal["on", "stopped", "over", "back"]
"""It runs; it is stopped (the hold has no end, and nobody is of the share any more); everybody goes; it was taken
back."""
_AT_DOOR: Final = frozenset(field.name for field in fields(TriggerBase))
"""What a trigger says about who may come in by it, rather than about what brings them there."""


class Canary(NamedTuple):
    """What holds for a journey. `share` is from 0 to 1; `since_at` when it began, `until_at` when the hold ends (or
    ended), both in journey time. `before` is the version that was live before, if there was one; `enters`: the others
    enter that one. `why` it was stopped, where the engine did so."""

    journey: str
    share: float
    since_at: datetime
    until_at: datetime
    before: str | None = None
    enters: bool = False
    state: CanaryState = "on"
    why: str = ""

    @property
    def place(self) -> str:
        """Tells this canary from the journey's earlier ones."""
        return f"{self.journey}:{int(self.since_at.timestamp() * 1_000_000)}"


def goes_at_once(canary: Canary, version: str, salt: str, customer: str) -> bool:
    """Whether a customer takes part in this version of the journey now."""
    if version == canary.before or canary.state == "over":
        return True
    return canary.state == "on" and share(salt, "canary", canary.journey, customer) < canary.share


def same_doors(one: Journey, other: Journey) -> bool:
    """Whether the same occasions lead to both versions, so that who comes to one may enter the other instead. What
    their triggers ask at the door may differ."""
    pairs = zip(one.triggers, other.triggers)
    return len(one.triggers) == len(other.triggers) and all(_occasion(a) == _occasion(b) for a, b in pairs)


def same_triggers(given: tuple[Trigger, ...], one: Journey, other: Journey) -> tuple[Trigger, ...]:
    """The triggers of `other` in the places that the given ones have in `one`; what has no place there (a request by
    the API, where no trigger is for it) stays as it is."""
    places = {id(trigger): number for number, trigger in enumerate(one.triggers)}
    return tuple(other.triggers[places[id(t)]] if id(t) in places else t for t in given)


def _occasion(trigger: Trigger) -> tuple[object, ...]:
    return type(trigger), *(getattr(trigger, f.name) for f in fields(trigger) if f.name not in _AT_DOOR)
