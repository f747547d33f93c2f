"""`deliver_once`: every message that leaves the engine, outside of any turn.

Claimed messages are gathered in groups of as many as their channel takes at once. Of each group: the claim's checks,
the texts, then, committed, that the hand-over begins (for channels without a key), the hand-over, the settlement.

What happens when nobody knows whether a message went (the language reference, section 7): where the provider knows our
id it is sent again with it; a promotional one is settled `unknown`; others are sent once more, and then settled so.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple, Protocol

from orchestrator.channels.protocol import Answer, Attachment, Channel, Outgoing, outgoing
from orchestrator.core.canary import Canary
from orchestrator.core.claim import Claimed, check_claim
from orchestrator.core.ledger import Message
from orchestrator.core.transition import Transition
from orchestrator.runtime.breaker import count_render_error
from orchestrator.runtime.canary import count_lines, running_by_journey
from orchestrator.runtime.gates import HAND_OVER_WITHIN, Gates
from orchestrator.runtime.hand_over import HandOver, Ready, ready_of
from orchestrator.runtime.provider_fields import provider_fields
from orchestrator.runtime.recording import settle, settle_owed
from orchestrator.runtime.retrying import FIRST_RETRY, LONGEST_RETRY, given_up, retry_at
from orchestrator.runtime.settlements import Rendered, Settler, line_of_row, said_at
from orchestrator.runtime.spending import tariffs_of, total
from orchestrator.runtime.tracing import span
from orchestrator.stores.protocol import Settlement, Store, StoreBusy

LIMIT = 500
"""Messages in one claim."""
WAITS_FOR_MONEY: Final = frozenset({"promotional", "service"})
"""Classes that wait once too much money was spent."""
LOOKED_AT_EVERY: Final = 5.0
"""Seconds for which a message that was claimed already waits for money: somebody may lift the limit."""
MICROS: Final = 1_000_000
"""Parts of a unit of money in which it is counted."""
log = logging.getLogger(__name__)
_AGAIN: Final = "nobody knows whether it was handed over when the process ended"

RenderErrors = type[Exception] | tuple[type[Exception], ...]
UnsubscribeUrl = Callable[[Message], str]
Dress = Callable[[Message, Any], tuple[str, str | None, Sequence[Attachment], str | None]]
"""From a row and its rendered texts to what leaves: text, HTML, files, and what signs its bounce address."""


class MessageRenderer(Protocol):
    """Renders a ledger row from its frozen values."""

    def render(self, row: Message) -> Rendered:
        """The texts. Raises RenderError (with `reason`) when the template cannot be filled."""


class DeliveryCounts(NamedTuple):
    """What one pass did. `retried`: refused for now, or not tried because the channel's gate was shut."""

    handed_over: int = 0
    suppressed: int = 0
    held: int = 0
    failed: int = 0
    retried: int = 0


def deliver_once(
    store: Store,
    channels: Mapping[str, Channel],
    renderer: MessageRenderer,
    now: datetime,
    limit: int = LIMIT,
    render_errors: RenderErrors = (),
    *,
    real_at: datetime | None = None,
    klass: str | None = None,
    gates: Gates | None = None,
    unsubscribe_url: UnsubscribeUrl | None = None,
    counted: Callable[[Mapping[str, int]], None] = lambda counts: None,
) -> DeliveryCounts:
    """Claim queued messages (of a class), check each again, render, hand over, settle.

    `now` is journey time, `real_at` the actual instant (default `now`). `gates` are kept from pass to pass; without
    them every channel takes all at once. `unsubscribe_url` gives the one-click link of promotional and service emails.
    `counted` hears how many hand-overs had which answer, by channel, and why messages were suppressed.
    Raises StoreBusy: what was handed over and could not be written is owed, and written by the next pass.
    """
    if gates is not None:
        settle_owed(store, gates)
        limit = gates.room(limit)
        if limit <= 0 or (klass in WAITS_FOR_MONEY and gates.waits_for_money()):
            return DeliveryCounts()
    delivery = _Delivery(store, channels, renderer, now, render_errors, real_at or now, gates, unsubscribe_url)
    claimed = store.claim_messages(now, limit, real_at, klass)
    if not claimed:
        return DeliveryCounts()
    with span("delivery", lane=klass or "all", claimed=len(claimed)) as said:
        try:
            for message in claimed:
                delivery.add(message)
            delivery.finish()
        finally:
            counted(delivery.answers)
            if gates is not None and (of_providers := gates.counted()):
                counted(of_providers)
            for name, count in zip(DeliveryCounts._fields, delivery.counts):
                said(name, count)
    if gates is not None and len(claimed) > delivery.untried:
        gates.measured(len(claimed) - delivery.untried, delivery.elapsed())
    return DeliveryCounts(*delivery.counts)


class _Delivery:
    """One pass."""

    def __init__(
        self,
        store: Store,
        channels: Mapping[str, Channel],
        renderer: MessageRenderer,
        now: datetime,
        errors: RenderErrors,
        real_at: datetime,
        gates: Gates | None,
        unsubscribe_url: UnsubscribeUrl | None,
    ) -> None:
        self.store = store
        self.channels = channels
        self.renderer = renderer
        self.now = now
        self.errors = errors
        self.gates = gates
        self.unsubscribe_url = unsubscribe_url
        # Only a renderer of real messages tracks, attaches and signs; those that only show them do not.
        self._dress: Dress | None = getattr(renderer, "dress", None)
        self.counts = [0, 0, 0, 0, 0]
        self.untried = 0
        self.answers: Counter[str] = Counter()
        """`sends:CHANNEL:OUTCOME`, `suppressed:REASON`, `spend:CHANNEL:CURRENCY` (in millionths)."""
        self.project = store.index.project
        self.settler = Settler(store, now)
        self._hand_over = HandOver(store, self.real_at)
        self._real_at = real_at
        self._began_at = gates.clock() if gates is not None else 0.0
        self._groups: dict[str, list[Claimed]] = {}
        self._addresses: dict[str, set[str]] = {}
        self._tariffs = tariffs_of(self.project)
        self._canaries: Mapping[str, Canary] = {}
        self._domains = gates.domains if gates is not None and self.project.domain_limits else None
        self._limited = gates is not None and self.project.settings.spend_limit is not None

    def elapsed(self) -> float:
        """Real seconds since the claim."""
        return self.gates.clock() - self._began_at if self.gates is not None else 0.0

    def real_at(self) -> datetime:
        """The actual instant."""
        return self._real_at + timedelta(seconds=self.elapsed()) if self.gates is not None else self._real_at

    # --- groups ----------------------------------------------------------------------------------------------------

    def add(self, claimed: Claimed) -> None:
        """Put it into its channel's group; a full group goes at once.

        A group holds no address twice: a bounce of the first message must stop the second to the same address.
        """
        name, to = claimed.row.channel, claimed.row.to
        channel = self.channels.get(name)
        if channel is None:
            self._settle([self._without_channel(claimed)])
            return
        if channel.width == 1:
            self._deliver(name, channel, [claimed])
            return
        group = self._groups.setdefault(name, [])
        addresses = self._addresses.setdefault(name, set())
        if to in addresses:
            self._flush(name)
        group.append(claimed)
        addresses.add(to)
        if len(group) >= channel.width:
            self._flush(name)

    def finish(self) -> None:
        """The groups that are not full."""
        for name in self._groups:
            self._flush(name)

    def _flush(self, name: str) -> None:
        group = self._groups[name]
        if group:
            self._deliver(name, self.channels[name], group.copy())
        group.clear()
        self._addresses[name].clear()

    def _deliver(self, name: str, channel: Channel, group: list[Claimed]) -> None:
        if self.elapsed() > HAND_OVER_WITHIN:
            self._settle([self._given_back(claimed, 0.0) for claimed in group])
            return
        gates = self.gates
        if gates is not None and gates.gate(name).room(gates.clock()) == 0:
            self._settle([self._shut_out(claimed, name) for claimed in group])
            return
        switches, suppressions = self.store.switches(), self.store.suppressions()
        if switches.canaries:
            self._canaries = running_by_journey(switches)
        project, salt, now = self.project, self.store.salt, self.now
        settlements: list[Settlement] = []
        ready: list[Ready] = []
        for claimed in group:
            try:
                verdict = check_claim(claimed, project, switches, suppressions, salt, now)
            except Exception as error:  # what is wrong with one message or profile must not stop all others
                settlements.append(self._unchecked(claimed, error))
                continue
            if claimed.uncertain and _not_again(claimed, channel, verdict.action):
                settlements.append(self._unknown(claimed))
            elif self._limited and verdict.action == "send" and (wait := self._money_wait(claimed)):
                settlements.append(self._given_back(claimed, wait))
            elif verdict.action == "send" and (pause := self._domain_wait(claimed)) is not None:
                settlements.append(self._given_back(claimed, pause))
            elif verdict.action == "send":
                prepared = self._prepare(claimed, again=claimed.uncertain and not channel.idempotent)
                if isinstance(prepared, Ready):
                    ready.append(prepared)
                else:
                    self._without_place(claimed)
                    settlements.append(prepared)
            elif verdict.action == "suppress":
                assert verdict.reason is not None
                self.counts[1] += 1
                self.answers[f"suppressed:{verdict.reason}"] += 1
                settlements.append(self.settler.suppressed(claimed, verdict.reason))
            else:
                self.counts[2] += 1
                settlements.append(self.settler.kept(claimed, verdict))
        if ready:
            try:
                settlements += self._pass_gate(name, channel, ready)
            except StoreBusy:
                self._settle(settlements)
                raise
        self._settle(settlements)

    # --- one message -----------------------------------------------------------------------------------------------

    def _unchecked(self, claimed: Claimed, error: Exception) -> Settlement:
        """Nobody can say whether it may go: it stays where it is, and is looked at again, ever more rarely."""
        row = claimed.row
        log.error("the message %s cannot be checked before its hand-over", row.id, exc_info=error)
        self.counts[4] += 1
        self.untried += 1
        self.answers[f"sends:{row.channel}:unchecked"] += 1
        words = f"{type(error).__name__}: {error}"[:500]
        wait = min(FIRST_RETRY * 2 ** min(claimed.fence, 10), LONGEST_RETRY)
        return self.settler.unchecked(claimed, words, self.real_at() + wait)

    def _prepare(self, claimed: Claimed, again: bool) -> Ready | Settlement:
        row = claimed.row
        try:
            rendered = self.renderer.render(row)
            dressed = self._dress(row, rendered) if self._dress is not None else None
        except StoreBusy:
            raise
        except Exception as error:  # whatever one message's template or values find must not stop all others
            words = str(error)
            if not isinstance(error, self.errors):
                words = f"{type(error).__name__}: {error}"[:500]
                log.exception("the message %s cannot be rendered", row.id)
            self.counts[3] += 1
            if claimed.uncertain:
                return self.settler.answered(claimed, None, Answer("unknown", _AGAIN))
            self.answers["suppressed:render_error"] += 1
            tripped = {"tripped": "the journey is paused"} if count_render_error(self.store, row) else {}
            return self.settler.suppressed(claimed, "render_error", {"error": words, **tripped})
        url = None
        if self.unsubscribe_url is not None and row.channel == "email" and row.klass != "transactional":
            url = self.unsubscribe_url(row)
        subject, text, html = rendered.subject, rendered.text, rendered.html
        files: Sequence[Attachment] = ()
        mark: str | None = None
        if dressed is not None:
            text, html, files, mark = dressed
        sender, reply_to = rendered.from_, rendered.reply_to
        fields = getattr(rendered, "fields", ()) if row.channel != "email" else ()  # an email's are its files
        told = provider_fields(claimed, fields) if fields or row.channel == "push" else None
        about = (row.journey, row.topic, row.klass, row.locale, told)
        out = outgoing(
            (
                row.id,
                row.channel,
                row.to,
                subject,
                text,
                html,
                sender,
                reply_to,
                None,
                url,
                self.now,
                *about,
                files,
                mark,
            )
        )
        return ready_of((claimed, rendered, out, again))

    def _unknown(self, claimed: Claimed) -> Settlement:
        """It may have gone, and is not sent again."""
        self.counts[0] += 1
        try:
            rendered: Rendered | None = self.renderer.render(claimed.row)
        except StoreBusy:
            raise
        except Exception:
            rendered = None
        return self.settler.answered(claimed, rendered, Answer("unknown", _AGAIN))

    def _without_channel(self, claimed: Claimed) -> Settlement:
        """Nothing sends on its channel any more."""
        if claimed.uncertain:
            return self._unknown(claimed)
        self.counts[1] += 1
        self.answers["suppressed:no_address"] += 1
        return self.settler.suppressed(claimed, "no_address")

    def _given_back(self, claimed: Claimed, seconds: float) -> Settlement:
        self.counts[4] += 1
        self.untried += 1
        return self.settler.given_back(claimed, self.real_at() + timedelta(seconds=seconds))

    def _shut_out(self, claimed: Claimed, name: str) -> Settlement:
        gates = self.gates
        assert gates is not None
        return self._given_back(claimed, gates.gate(name).come_again(gates.clock()))

    # --- the hand-over ---------------------------------------------------------------------------------------------

    def _pass_gate(self, name: str, channel: Channel, ready: list[Ready]) -> list[Settlement]:
        """As many as the channel's gate lets through now; the others come again."""
        gates = self.gates
        if gates is None:
            return [self._settlement(name, channel, *each) for each in self._hand_over(channel, ready)]
        gate = gates.gate(name)
        admitted = gate.take(len(ready), gates.clock())
        for each in ready[admitted:]:
            self._without_place(each.claimed)
        settlements = [self._shut_out(each.claimed, name) for each in ready[admitted:]]
        if not admitted:
            return settlements
        try:
            answered = self._hand_over(channel, ready[:admitted], lambda answers: gate.note(answers, gates.clock()))
        except StoreBusy:
            self._settle(settlements)
            raise
        if name in self._tariffs:
            self._count_cost(name, [each.out for each, answer in answered if answer and answer.outcome == "accepted"])
        return settlements + [self._settlement(name, channel, *each) for each in answered]

    def _count_cost(self, name: str, accepted: Sequence[Outgoing]) -> None:
        tariff, gates = self._tariffs[name], self.gates
        cost = total(tariff, accepted)
        if cost:
            self.answers[f"spend:{name}:{tariff.currency}"] += round(cost * MICROS)
            if gates is not None and gates.spending is not None:
                gates.spending.spent(cost, gates.clock())

    def _money_wait(self, claimed: Claimed) -> float:
        """For how many seconds a message waits because too much money was spent."""
        gates = self.gates
        if gates is None or claimed.row.klass not in WAITS_FOR_MONEY:
            return 0.0
        return min(gates.waits_for_money(), LOOKED_AT_EVERY)

    def _domain_wait(self, claimed: Claimed) -> float | None:
        """For how many seconds a message waits because its receiver's operator gets no more just now; None: it goes."""
        domains, gates = self._domains, self.gates
        return domains.wait(claimed.row, gates.clock()) if domains is not None and gates is not None else None

    def _without_place(self, claimed: Claimed) -> None:
        """A message that had its place among those to its receiver's operator does not go now."""
        if self._domains is not None and self.gates is not None:
            self._domains.give_back(claimed.row, self.gates.clock())

    # --- afterwards ------------------------------------------------------------------------------------------------

    def _settlement(self, name: str, channel: Channel, each: Ready, answer: Answer | None) -> Settlement:
        claimed = each.claimed
        if answer is None:
            return self._given_back(claimed, 0.0)
        self.answers[f"sends:{name}:{answer.outcome}"] += 1
        tries_again = answer.outcome == "retry" or (answer.outcome == "unknown" and channel.idempotent)
        if not tries_again:
            self.counts[0] += 1
            return self.settler.answered(claimed, each.rendered, answer, each.again)
        real_at = self.real_at()
        if answer.down and self.gates is not None:
            # The channel's circuit says when, and nobody is given up for what is not about them.
            self.counts[4] += 1
            wait = self.gates.gate(name).come_again(self.gates.clock())
            return self.settler.refused_for_now(claimed, answer, real_at + timedelta(seconds=wait), each.again)
        if given_up(claimed.first_tried_at, real_at) and not answer.down:
            self.counts[0] += 1
            last = answer if answer.outcome == "unknown" else answer._replace(outcome="rejected", receipts=())
            return self.settler.answered(claimed, each.rendered, last, each.again)
        self.counts[4] += 1
        at = retry_at(claimed.row.id, claimed.first_tried_at, real_at, answer.after)
        return self.settler.refused_for_now(claimed, answer, at, each.again)

    def _settle(self, settlements: list[Settlement]) -> None:
        if self._canaries:
            for settlement in settlements:
                count_lines(settlement.transitions, self._canaries, self.answers)
        settle(self.store, settlements, self.now, self.gates)


def _not_again(claimed: Claimed, channel: Channel, action: str) -> bool:
    """Whether a message that may have gone already is left at that.

    `begun` counts the hand-overs that may have taken it, so that it goes twice at most whenever processes end.
    """
    if channel.idempotent:
        return action == "suppress"  # it cannot be said to be unsent
    return action != "send" or claimed.row.klass == "promotional" or claimed.begun > 1


def hold_line(row: Message, now: datetime, until_at: datetime) -> Transition:
    """The one line that says that a message waits for its journey's throttle."""
    return line_of_row(row, said_at(row, now), "held", {"reason": "send_limit", "until": until_at})
