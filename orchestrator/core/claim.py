"""The last check before a message is handed over, in the transaction of its claim (the language reference, section 7).

The guards asked when the row was written; since then the enrollment may have been ended from outside, consent
withdrawn, the address suppressed, a switch thrown, the validity or the free time run out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Literal, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.core.addresses import BY_NUMBER, stored_address
from orchestrator.core.consent import state_at
from orchestrator.core.customer import Customer
from orchestrator.core.double_opt_in import JOURNEY as ASKING
from orchestrator.core.guard import forbidden, no_consent
from orchestrator.core.identity import smear_for
from orchestrator.core.ledger import Message
from orchestrator.core.plus_addresses import keeps_apart, reasons
from orchestrator.core.project import Project, Topic
from orchestrator.core.time.quiet import Quiet, next_quiet_start, quiet_until
from orchestrator.core.time.zone_in_force import zone_in_force
from orchestrator.core.view import Switches


class Claimed(NamedTuple):
    """A queued message with what the claim read. `ended_by`: why its enrollment was ended from outside, else None.

    `fence` numbers the claims of a row: what was claimed again since is no longer ours. `begun` counts the hand-overs
    that were begun before this claim; `uncertain`: nobody knows how the last of them ended. `first_tried_at` is the
    real instant of the first, from which retries are given up.
    """

    row: Message
    customer: Customer
    ended_by: str | None = None
    fence: int = 0
    begun: int = 0
    uncertain: bool = False
    first_tried_at: datetime | None = None


claimed_of: Callable[[tuple[Any, ...]], Claimed] = partial(tuple.__new__, Claimed)
"""From all fields in their order, without the calls that naming the class takes."""


class ClaimVerdict(NamedTuple):
    """Hand it over, keep it (until an instant, or frozen while its journey is paused), or not at all."""

    action: Literal["send", "hold", "freeze", "suppress"]
    reason: str | None = None
    until_at: datetime | None = None


_SEND = ClaimVerdict("send")


def check_claim(
    claimed: Claimed,
    project: Project,
    switches: Switches,
    suppressions: Mapping[tuple[str, str], frozenset[str]],
    salt: str,
    now: datetime,
) -> ClaimVerdict:
    """Whether a message may be handed over at the actual instant `now`."""
    row, customer = claimed.row, claimed.customer
    journey, channel = row.journey, row.channel
    if switches.killed_all or channel in switches.killed_channels or journey in switches.killed_journeys:
        return ClaimVerdict("suppress", "killed")
    if journey in switches.stopped:
        return ClaimVerdict("suppress", "stopped")
    if claimed.ended_by is not None and not row.survives_exit:
        return ClaimVerdict("suppress", "stopped" if claimed.ended_by == "stopped" else "exited")
    topic = project.topics.get(row.topic) or Topic(row.topic, row.klass)  # a topic that is gone binds as it did
    if journey == ASKING:  # about the topic; it is not a message of it
        topic = Topic(row.topic, "transactional")
    refused = None
    if suppressions and (causes := suppressions.get((channel, normal_of(row, customer)))):
        refused = forbidden(reasons(causes, channel, row.to, keeps_apart(project.channels), salt), topic)
    refused = refused or no_consent(state_at(customer, (row.topic, channel), now), topic)
    if refused is not None:
        return ClaimVerdict("suppress", refused)
    if row.expires_at is not None and now > row.expires_at:
        return ClaimVerdict("suppress", "expired")
    if journey in switches.paused:
        return ClaimVerdict("freeze", "paused")
    if row.not_after is not None and (now >= row.not_after or now != row.decided_at):
        return _quiet_again(row, customer, project, salt, now)
    return _SEND


def normal_of(row: Message, customer: Customer) -> str:
    """The message's address in the form that suppression compares."""
    found = stored_address(row.channel, row.to, customer.country)
    return found.normal if found is not None else row.to


def number_of(row: Message) -> str | None:
    """The phone number to which a message goes, if it goes to one: it tells where the law has to be kept, too."""
    return row.to if row.channel in BY_NUMBER else None


def _quiet_for(project: Project, row: Message, customer: Customer) -> tuple[Quiet | None, tuple[ZoneInfo, ...]]:
    """The quiet hours that bind a message that was written already, and the zones in which they count."""
    found = zone_in_force(row.fixed_zone, customer.timezone, customer.phone, customer.country, project.timezone)
    if project.quiet_plan is None:
        return project.quiet.hours if project.quiet is not None else None, found.all_zones
    placed = project.quiet_plan.times(row.klass, row.channel)
    if placed is None:
        return None, found.all_zones
    own = zone_in_force(None, customer.timezone, customer.phone, customer.country, project.timezone)
    return placed.placed(customer, found, own, number_of(row))


def _quiet_again(row: Message, customer: Customer, project: Project, salt: str, now: datetime) -> ClaimVerdict:
    """The free time in which the row was written is over, or the customer moved: is it quiet, and until when?"""
    quiet, zones = _quiet_for(project, row, customer)
    if quiet is None:
        return ClaimVerdict("send")
    free_at = quiet_until(now, zones, quiet)
    if free_at is None:
        return ClaimVerdict("send")
    if row.on_quiet != "hold" or row.survives_exit:
        return ClaimVerdict("suppress", "quiet_hours")
    smear = project.settings.smear
    next_start = next_quiet_start(free_at, zones, quiet)
    if next_start is not None:
        smear = min(smear, next_start - free_at)
    release_at = free_at + smear_for(salt, row.enrollment_id, row.step, row.visit, smear)
    if row.expires_at is not None and release_at > row.expires_at:
        return ClaimVerdict("suppress", "expired")
    return ClaimVerdict("hold", "quiet_hours", release_at)
