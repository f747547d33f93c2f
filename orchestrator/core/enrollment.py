"""An enrollment: one customer's passage through one version of one journey. All that it needs to go on stands here."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple, TypeAlias

Standing: TypeAlias = Literal["wait", "hold", "retry", "reply", "before", "canary"]
"""Why it stands on its step: waiting (for time or for something), a message held, a step to be tried again, an answer
from outside (fetch, webhook), or before it: a deploy moved it there, or a canary let it go. `canary`: one holds it, and
it stands on no step yet."""

Status: TypeAlias = Literal["running", "parked", "completed", "exited"]


class LoopState(NamedTuple):
    """Where a `repeat` stands: the pass (from 1), and the base from which its `every` counts: that of pass `since`.

    That is the first pass, until one begins later than it should: then that one, so that the passes never bunch.
    """

    number: int
    anchor_at: datetime
    since: int = 1


class Enrollment:
    """The state of one enrollment; every field is JSON-able through `orchestrator.core.state`.

    `entered_at` is the due instant of the entry (`entry.at`), and never changes. `entry` holds the trigger's values,
    with `update` merged in. `step` is the step it stands on, `base_at` that step's wait's base, `until_at` its end;
    `first_due_at` when the step was first due (from which `valid_for` counts); `look_at` when time alone may make one
    of
    its conditions true; `due_at` = when the engine must come back (the earlier of the two), None: only on an event.
    `sent_ways` are the channels that a held `all_of` has dealt with; `pending` the coupons (by the id of the step that
    is to
    carry them) whose message is not written yet. `outcome` says how a wait was satisfied before its timer ran.
    `ended_by_rule`: ended from outside (an exit rule, goal, stop, restart ...), so that what is queued must not be
    handed over; not so after `exit:` or the end. `renamed` holds, for each older version that it was moved from, what
    the steps are called now.
    """

    __slots__ = (
        "attempts",
        "base_at",
        "converted_at",
        "customer_id",
        "due_at",
        "ended_at",
        "ended_by_rule",
        "entered_at",
        "entry",
        "first_due_at",
        "held_out",
        "id",
        "journey",
        "key",
        "look_at",
        "loops",
        "outcome",
        "past",
        "pending",
        "reason",
        "renamed",
        "results",
        "sent_ways",
        "standing",
        "status",
        "step",
        "trigger",
        "until_at",
        "updated_at",
        "version",
        "visits",
    )

    def __init__(
        self,
        id: str,
        customer_id: str,
        journey: str,
        version: str,
        key: str,
        trigger: str,
        entered_at: datetime,
        entry: dict[str, Any],
    ) -> None:
        self.id = id
        self.customer_id = customer_id
        self.journey = journey
        self.version = version
        self.key = key
        self.trigger = trigger
        self.entered_at = entered_at
        self.entry = entry
        self.updated_at = entered_at
        self.held_out = False
        self.status: Status = "running"
        self.ended_at: datetime | None = None
        self.reason: str | None = None
        self.ended_by_rule = False
        self.step: str | None = None
        self.standing: Standing | None = None
        self.base_at: datetime | None = None
        self.until_at: datetime | None = None
        self.past = False
        self.first_due_at: datetime | None = None
        self.look_at: datetime | None = None
        self.due_at: datetime | None = None
        self.outcome: dict[str, Any] | None = None
        self.results: dict[str, Any] = {}
        self.visits: dict[str, int] = {}
        self.loops: dict[str, LoopState] = {}
        self.attempts = 0
        self.converted_at: datetime | None = None
        self.sent_ways: tuple[str, ...] = ()
        self.pending: dict[str, str] = {}
        self.renamed: dict[str, dict[str, str]] = {}

    def copy(self) -> Enrollment:
        """A copy that a turn may change; nested values are replaced, never changed in place, but for those copied
        here."""
        # Field by field: one copy is made for every timer that runs, and a loop over the names takes three times as
        # long.
        twin = Enrollment.__new__(Enrollment)
        twin.id = self.id
        twin.customer_id = self.customer_id
        twin.journey = self.journey
        twin.version = self.version
        twin.key = self.key
        twin.trigger = self.trigger
        twin.entered_at = self.entered_at
        twin.entry = self.entry
        twin.updated_at = self.updated_at
        twin.held_out = self.held_out
        twin.status = self.status
        twin.ended_at = self.ended_at
        twin.reason = self.reason
        twin.ended_by_rule = self.ended_by_rule
        twin.step = self.step
        twin.standing = self.standing
        twin.base_at = self.base_at
        twin.until_at = self.until_at
        twin.past = self.past
        twin.first_due_at = self.first_due_at
        twin.look_at = self.look_at
        twin.due_at = self.due_at
        twin.outcome = self.outcome
        twin.results = self.results.copy() if self.results else {}
        twin.visits = self.visits.copy()
        twin.loops = self.loops.copy() if self.loops else {}
        twin.attempts = self.attempts
        twin.converted_at = self.converted_at
        twin.sent_ways = self.sent_ways
        twin.pending = self.pending.copy() if self.pending else {}
        twin.renamed = self.renamed
        return twin

    def name_now(self, version: str, step: str) -> str:
        """What a step is called now that did something while the enrollment was in `version`."""
        return self.renamed.get(version, {}).get(step, step) if self.renamed else step

    @property
    def running(self) -> bool:
        """Not ended and not parked."""
        return self.status == "running"

    @property
    def ended(self) -> bool:
        """Completed or exited, for good."""
        return self.status == "completed" or self.status == "exited"


class EntryRecord(NamedTuple):
    """What is remembered of the entries with one key of one journey, over all versions: for `reentry` and `entered`."""

    entered_at: tuple[datetime, ...] = ()
    exited_at: datetime | None = None
    messaged_at: datetime | None = None


entry_record: Callable[[tuple[tuple[datetime, ...], datetime | None, datetime | None]], EntryRecord]
entry_record = partial(tuple.__new__, EntryRecord)
"""An EntryRecord from all its fields in their order, without the calls that `EntryRecord(...)` takes."""
