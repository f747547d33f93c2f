"""What people have to be told of: limits that were reached, breakers, circuits, parked customers, lag, low pools.

Each trouble has a name that is the same on every look, what happened, where to look, and what to do next. Looking
costs a handful of small queries, whatever the installation holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, NamedTuple

from orchestrator.core.circuit import CircuitState
from orchestrator.core.project import Project
from orchestrator.runtime.breaker import MOST_RENDER_ERRORS, TRIPPED
from orchestrator.runtime.daily_quota import USED_UP
from orchestrator.runtime.limits_hit import HIT
from orchestrator.runtime.spending import SPENDING
from orchestrator.stores.protocol import Store

MOST_PARKED: Final = 10
"""Parked customers that are an alarm."""
COUNTED_PARKED: Final = 1_000
LAG_ALARM: Final = timedelta(minutes=5)
"""How long what is due may wait."""
HIT_FOR: Final = timedelta(hours=1)
"""How long a limit counts as reached after it last refused something."""
FINE: Final = datetime(1970, 1, 1, tzinfo=UTC)
"""The instant that stands for none: marks are never taken away."""
WEBHOOK: Final = "webhook:"
"""Before the names of followers of the journal that are webhooks."""
WEBHOOK_FAILS: Final = timedelta(minutes=15)
"""How long a webhook may fail."""
OVERRUN: Final = "overrun:"
"""Before the names of marks, then a journey and the number that was expected: that it was paused for letting in too
many (runtime.expected_entries)."""
ALLOWANCE: Final = 1.2
"""So many times what was expected may come in."""


class Trouble(NamedTuple):
    """One thing that is out of order. `name` tells it from all others: `kind:subject`."""

    name: str
    what: str
    where: str
    then: str


def find_troubles(
    store: Store, circuits: Mapping[str, CircuitState], now: datetime, real_at: datetime, virtual: bool = False
) -> dict[str, Trouble]:
    """Everything that is out of order now, by name. `virtual`: the journeys run on a time of their own, which may
    stand behind. Raises StoreBusy."""
    project = store.index.project
    found = [*_limits(store, project, real_at), *_breakers(store, project), *_circuits(circuits), *_parked(store)]
    _forget_resumed(store)
    found += [*_pools(store, project), *safety_troubles(store, real_at), *_webhooks(store, project, real_at)]
    if not virtual:
        found += _lag(store, now)
    return {trouble.name: trouble for trouble in found}


def _limits(store: Store, project: Project, real_at: datetime) -> Iterator[Trouble]:
    for name, at in store.marks(HIT).items():
        reason, _, journey = name.removeprefix(HIT).partition(":")
        known = project.journeys.get(journey)
        if real_at - at > HIT_FOR or known is None:
            continue
        if reason == "entry_limit" and known.limits.entries_per_day is not None:
            what = (
                f"{journey} has let in its {known.limits.entries_per_day:,} customers of today, and refuses all others"
            )
            then = (
                "if so many are meant, raise `limits: entries_per_day` and deploy; else look at what sends its events"
            )
        elif reason == "send_limit" and known.limits.messages_total is not None:
            what = f"{journey} has sent its {known.limits.messages_total:,} messages, and sends no more"
            then = (
                "if so many are meant, raise `limits: messages_total` and deploy; else `orchestrator pause "
                + journey
                + "`"
            )
        else:
            continue
        yield Trouble(f"{reason}:{journey}", what, f"journeys/**/{journey}.yaml; the status page", then)


def _breakers(store: Store, project: Project) -> Iterator[Trouble]:
    paused = store.switches().paused
    for name, at in store.marks(TRIPPED).items():
        journey = name.removeprefix(TRIPPED)
        if at == FINE:
            continue
        if journey not in paused:
            store.mark(name, FINE)  # somebody resumed it: a later pause by hand is none of ours
            continue
        what = f"{journey} was paused: {MOST_RENDER_ERRORS} of its messages could not be rendered"
        where = "`orchestrator messages`, or `orchestrator why CUSTOMER`: lines with render_error"
        yield Trouble(
            f"render_errors:{journey}", what, where, f"mend the template, deploy, then `orchestrator resume {journey}`"
        )


def safety_troubles(store: Store, real_at: datetime) -> Iterator[Trouble]:
    """What the breakers hold back: quotas of the day, and journeys that let in too many. Raises StoreBusy."""
    yield from quota_troubles(store, real_at)
    yield from _overruns(store)
    yield from _canaries(store)


def _webhooks(store: Store, project: Project, real_at: datetime) -> Iterator[Trouble]:
    for name in project.webhooks:
        feed = store.feed(WEBHOOK + name)
        if feed is None:
            continue
        then = f"mend the receiver, then `orchestrator webhooks retry {name}`"
        if feed.paused:
            yield Trouble(
                f"webhook:{name}", f"the webhook {name} is told nothing any more: {feed.reason}",
                "`orchestrator webhooks list`", then,
            )  # fmt: skip
        elif feed.since is not None and feed.reason and real_at - feed.since > WEBHOOK_FAILS:
            yield Trouble(
                f"webhook:{name}", f"the webhook {name} has failed since {feed.since:%H:%M} UTC: {feed.reason}",
                "`orchestrator webhooks list`", "see whether the receiver answers; what it misses waits for it",
            )  # fmt: skip
        if store.letters_left(feed.name):
            yield Trouble(
                f"webhook_aside:{name}", f"the webhook {name} would not take lines, which are put aside",
                "`orchestrator webhooks list`", then,
            )  # fmt: skip


def _canaries(store: Store) -> Iterator[Trouble]:
    for canary in store.switches().canaries:
        if canary.state == "stopped" and canary.why:
            name = canary.journey
            what = f"the canary of {name} is stopped, and all others wait or go the old way: {canary.why}"
            then = (
                f"mend it and deploy, or deploy the files of before; `orchestrator canary {name} --release` lets all "
                f"go; `orchestrator pause {name}` holds those who are on their way, too"
            )
            yield Trouble(f"canary:{name}", what, f"`orchestrator canary {name}`; the status page", then)


def quota_troubles(store: Store, real_at: datetime) -> Iterator[Trouble]:
    """Quotas of the day that are used up, of providers and of receivers' domains. Raises StoreBusy."""
    for name, until_at in store.marks(USED_UP).items():
        provider, _, quota = name.removeprefix(USED_UP).rpartition(":")
        if real_at < until_at and quota.isdigit():
            many = f"today's quota of {provider}, {int(quota):,}, is used up" if int(quota) else (
                f"the ramp of {provider} has not begun, and it gets nothing today")  # fmt: skip
            what = f"{many}: what it cannot take waits until {until_at:%Y-%m-%d %H:%M} UTC"
            then = "if the provider takes more, raise `daily` or the ramp in the channel's URL; it holds from tomorrow"
            where = "the channel's URL; the provider's own console"
            if "@" in provider:  # the mailboxes of a domain
                then = "if its operator takes more, raise it in `channels: email: domains`; it holds from tomorrow"
                where = "journeys/project.yaml; what the operator's postmaster tools say of your domain"
            yield Trouble(f"quota:{provider}", what, where, then)


def _overruns(store: Store) -> Iterator[Trouble]:
    paused = store.switches().paused
    for name, at in store.marks(OVERRUN).items():
        journey, _, number = name.removeprefix(OVERRUN).rpartition(":")
        if at == FINE or not number.isdigit() or journey not in paused:
            continue
        bound = int(int(number) * ALLOWANCE)
        what = f"{journey} was paused: more than {bound:,} customers came in, and {int(number):,} were expected"
        then = f"if so many are meant, `orchestrator resume {journey}`; else mend its entry, deploy, and stop it"
        yield Trouble(f"overrun:{journey}", what, f"journeys/**/{journey}.yaml; the status page", then)


def _forget_resumed(store: Store) -> None:
    """Somebody resumed what was paused for letting in too many: a later pause by hand is none of ours."""
    paused = store.switches().paused
    for name, at in store.marks(OVERRUN).items():
        if at != FINE and name.removeprefix(OVERRUN).rpartition(":")[0] not in paused:
            store.mark(name, FINE)


def _circuits(circuits: Mapping[str, CircuitState]) -> Iterator[Trouble]:
    for channel, circuit in circuits.items():
        if channel == SPENDING and circuit.state != "closed":
            what = f"{circuit.reason or 'too much money was spent'}: promotional and service messages wait"
            then = "if that is meant, raise `settings: spend_limit` and deploy, or `orchestrator lift --spend`"
            yield Trouble("spend:limit", what, "`orchestrator doctor`; orchestrator_spend in /metrics", then)
        elif circuit.state != "closed":
            what = f"the provider of {channel} takes nothing: {circuit.reason or 'no reason was given'}"
            then = "mend what the reason says, or wait: messages are kept, and go on by themselves when it answers"
            yield Trouble(f"circuit:{channel}", what, "`orchestrator doctor`; the provider's own status page", then)


def _parked(store: Store) -> Iterator[Trouble]:
    count = store.parked(COUNTED_PARKED)
    if count > MOST_PARKED:
        many = f"{count:,}" if count < COUNTED_PARKED else f"{COUNTED_PARKED:,} or more"
        what = f"{many} customers are parked: decisions about them failed, and their events wait"
        then = "mend the cause and deploy, then `orchestrator resume JOURNEY` tries all of them again"
        yield Trouble(
            "parked:customers", what, "`orchestrator doctor` names some, `orchestrator why CUSTOMER` says why", then
        )


def _lag(store: Store, now: datetime) -> Iterator[Trouble]:
    for lane, since in store.oldest_due(now).items():
        if now - since > LAG_ALARM:
            minutes = int((now - since).total_seconds() // 60)
            what = f"what is due waits for {minutes:,} minutes ({lane})"
            then = "see that workers run and the database answers; what waits is kept, and is made up for"
            yield Trouble(f"lag:{lane}", what, "`orchestrator doctor`; /metrics", then)


def _pools(store: Store, project: Project) -> Iterator[Trouble]:
    for offer in project.offers.values():
        if offer.low_pool is None:
            continue
        left = store.coupons_left(offer, offer.low_pool)
        if left < offer.low_pool:
            what = f"{left:,} codes of the offer {offer.id} are left, fewer than {offer.low_pool:,}"
            more = "`orchestrator import codes FILE`" if offer.imported else "raise `limits: total` and deploy"
            yield Trouble(f"low_pool:{offer.id}", what, "journeys/offers.yaml; the status page", f"for more: {more}")
