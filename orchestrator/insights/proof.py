"""The proof of a month: whom the brand contacted, on what basis, and that nobody was who should not have been.

Everything is worked out anew from the books (hand-overs, the consent ledger, the suppression list, profiles), and by
other code than that which decided: what the engine said of its own decisions proves nothing. Rules are those that are
live now.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta
from statistics import median
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from orchestrator.core.claim import number_of
from orchestrator.core.consent import EVERY_TOPIC, OWN, Choice
from orchestrator.core.customer import Customer
from orchestrator.core.double_opt_in import JOURNEY as ASKING
from orchestrator.core.ledger import UNSENT, Message
from orchestrator.core.project import CapRule, PackChange, Project
from orchestrator.core.sends import Contact, CustomerSends
from orchestrator.core.time.quiet import Quiet
from orchestrator.core.time.zone_in_force import zone_in_force
from orchestrator.core.time.zones import zone_or_none
from orchestrator.insights.wall_clock import was_quiet

KINDS: Final = ("quiet_hours", "caps", "after_opt_out", "without_consent", "suppressed")
"""Kinds of violations, in the order in which people are shown them."""
GRACE: Final = timedelta(seconds=2)
"""A message that was already being handed over when somebody opted out may still leave; for so long at most."""
TOLD_LATE: Final = timedelta(minutes=5)
"""An opt-out that was noted so much later than it was made was told to the engine late (an import): it counts from
then."""
MOST_SHOWN: Final = 100
"""Violations of each kind that are named; all are counted."""
_EVERY_CLASS: Final = frozenset({"bounced", "suppressed", "stopped", "erased"})
"""Causes of the suppression list that close an address for every class; others leave transactional messages alone."""

Causes = Callable[[Message, Customer], Iterable[tuple[str, datetime]]]
"""The entries of the suppression list for the address to which a message to a customer went: causes with their
instants."""


class Violation(NamedTuple):
    """A message that should not have been handed over, and what it broke."""

    kind: str
    customer: str
    message: str
    handed_at: datetime
    detail: str


class Reached(NamedTuple):
    """What contacts are counted by. `basis`: opt_in, implied (consent with an end), service, transactional; `source`:
    where the opt-in came from."""

    topic: str
    channel: str
    klass: str
    basis: str
    source: str


class Proof(NamedTuple):
    """A month's proof. Times of opt-outs are seconds; rates are shares of what was handed over."""

    since: datetime
    until: datetime
    packs: tuple[str, ...]
    contacts: dict[Reached, int]
    withheld: dict[tuple[str, str], int]
    violations: dict[str, int]
    shown: tuple[Violation, ...]
    opt_outs: int
    latency_p50: float
    latency_max: float
    sent: dict[str, int]
    bounced: dict[str, int]
    complained: dict[str, int]
    people: int
    told_late: int = 0
    pack_changes: tuple[PackChange, ...] = ()
    """What of the packs the project keeps otherwise than they say: no violation is looked for there."""

    @property
    def broken(self) -> int:
        """How many violations there are."""
        return sum(self.violations.values())


class Prover:
    """Reads the sends of one customer after the other; see `proof`."""

    def __init__(self, project: Project, causes: Causes, since: datetime, until: datetime) -> None:
        self._project, self._causes, self._since, self._until = project, causes, since, until
        self._contacts: Counter[Reached] = Counter()
        self._withheld: Counter[tuple[str, str]] = Counter()
        self._violations: Counter[str] = Counter()
        self._shown: list[Violation] = []
        self._latencies: list[float] = []
        self._sent: Counter[str] = Counter()
        self._ended: dict[str, Counter[str]] = {"bounced": Counter(), "complained": Counter()}
        self._people = self._told_late = 0

    @property
    def reads_from(self) -> datetime:
        """From when on hand-overs are needed: caps look back from the month's first message."""
        return self._since - max((rule.per for rule in self._project.caps), default=timedelta(0))

    def add(self, sends: CustomerSends) -> None:
        """One customer's part of the books."""
        contacts = [contact for contact in sends.contacts if self._since <= contact.handed_at < self._until]
        for contact in contacts:
            self._count(contact, sends.choices)
            for kind, detail in self._broken_by(contact, sends):
                self._violate(kind, contact, detail)
        self._people += bool(contacts)
        for rule in self._project.caps:
            for contact in over_cap(rule, sends.contacts):
                if contact in contacts:
                    self._violate("caps", contact, f"more than {rule.max} in {rule.per / timedelta(hours=1):g} h")
        for at, channel, reason in sends.withheld:
            if self._since <= at < self._until:
                self._withheld[reason, channel or ""] += 1
        self._time_opt_outs(sends)

    def proof(self) -> Proof:
        """What was found."""
        return Proof(
            self._since,
            self._until,
            self._project.packs,
            dict(sorted(self._contacts.items())),
            dict(sorted(self._withheld.items())),
            {kind: self._violations[kind] for kind in KINDS},
            tuple(self._shown),
            len(self._latencies),
            median(self._latencies) if self._latencies else 0.0,
            max(self._latencies, default=0.0),
            dict(sorted(self._sent.items())),
            dict(self._ended["bounced"]),
            dict(self._ended["complained"]),
            self._people,
            self._told_late,
            self._project.pack_changes,
        )

    def _count(self, contact: Contact, choices: tuple[Choice, ...]) -> None:
        row = contact.row
        basis, source = _class_of(row), ""
        if basis == "promotional":
            choice = _last_choice(choices, row, contact.handed_at)
            basis = "implied" if choice is not None and choice.expires_at is not None else "opt_in"
            source = (choice.source if choice is not None else "") or "not recorded"
        self._contacts[Reached(row.topic, row.channel, _class_of(row), basis, source)] += 1
        self._sent[row.channel] += 1
        if contact.status in self._ended:
            self._ended[contact.status][row.channel] += 1

    def _violate(self, kind: str, contact: Contact, detail: str) -> None:
        self._violations[kind] += 1
        if self._violations[kind] <= MOST_SHOWN:
            row = contact.row
            self._shown.append(Violation(kind, row.customer_id, row.id, contact.handed_at, detail))

    def _broken_by(self, contact: Contact, sends: CustomerSends) -> Iterator[tuple[str, str]]:
        """What one message broke, but for caps, with what shows it."""
        row, customer, klass = contact.row, sends.customer, _class_of(contact.row)
        quiet, zones = _quiet_for(self._project, row, customer)
        if quiet is not None:
            asleep = next((zone for zone in zones if was_quiet(contact.handed_at, zone, quiet)), None)
            if asleep is not None:
                yield "quiet_hours", f"{contact.handed_at.astimezone(asleep):%a %Y-%m-%d %H:%M} {asleep.key}"
        for cause, at in self._causes(row, customer):
            if contact.handed_at > at + GRACE and (cause in _EVERY_CLASS or klass != "transactional"):
                yield "suppressed", f"{cause} since {at:%Y-%m-%d %H:%M:%S}Z"
        choice = _closed_by(sends.choices, row, contact.handed_at - GRACE)
        if choice is not None:
            yield "after_opt_out", f"opted out at {_effective(choice):%Y-%m-%d %H:%M:%S}Z"
        elif klass == "promotional" and not any(
            _consented(sends, row, at) for at in (contact.handed_at, contact.handed_at - GRACE)
        ):
            yield "without_consent", f"no opt-in to {row.topic} by {row.channel}"

    def _time_opt_outs(self, sends: CustomerSends) -> None:
        """For each opt-out of the month, how long after it the last message that it should have ended still left. One
        click is one opt-out, however many topics it ends on its channel."""
        found: dict[tuple[str, datetime], timedelta] = {}
        late = set()
        for number, choice in enumerate(sends.choices):
            if choice.state != "out" or choice.refused is not None or not self._since <= choice.noted_at < self._until:
                continue
            said_at, act = _effective(choice), (choice.channel, choice.at)
            if choice.noted_at - choice.at > TOLD_LATE:
                late.add(act)
            opened_at = (
                said_at
                if _is_outdated(choice, sends.choices[:number])
                else next(
                    (later.noted_at for later in sends.choices[number + 1 :] if _same(later, choice) and _opens(later)),
                    None,
                )
            )
            after = [
                contact.handed_at - said_at
                for contact in sends.contacts
                if _ends(choice, contact.row)
                and contact.handed_at > said_at
                and (opened_at is None or contact.handed_at < opened_at)
            ]
            found[act] = max(found.get(act, timedelta(0)), *after, timedelta(0))
        self._latencies += [latency.total_seconds() for latency in found.values()]
        self._told_late += len(late)


def over_cap(rule: CapRule, contacts: Iterable[Contact]) -> list[Contact]:
    """Messages before which as many as the rule allows stood in its window already. Slots are taken when a message is
    decided, and given back where it ends unsent."""
    counted = [
        contact
        for contact in contacts
        if contact.status not in UNSENT
        and contact.row.journey != ASKING
        and rule.matches(contact.row.klass, contact.row.topic, contact.row.channel)
    ]
    counted.sort(key=lambda contact: (contact.row.at, contact.row.seq))
    over, first = [], 0
    for number, contact in enumerate(counted):
        while counted[first].row.at <= contact.row.at - rule.per:
            first += 1
        if number - first + 1 > rule.max:
            over.append(contact)
    return over


def _class_of(row: Message) -> str:
    """The question of a double opt-in is no message of the topic that it asks about."""
    return "transactional" if row.journey == ASKING else row.klass


def _quiet_for(project: Project, row: Message, customer: Customer) -> tuple[Quiet | None, tuple[ZoneInfo, ...]]:
    """The rules that hold for a message, and where it was read: in every zone of a country of several. Of whoever moved
    since then, only the zone is known that was in force when it was written."""
    if _class_of(row) != row.klass:
        return None, ()
    own = zone_in_force(None, customer.timezone, customer.phone, customer.country, project.timezone)
    written = zone_or_none(row.zone) or project.timezone
    fixed, moved = row.fixed_zone is not None, own.zone != written
    if project.quiet_plan is None:
        rule = project.quiet
        hours = rule.hours if rule is not None and rule.binds(row.klass, row.channel) else None
        return hours, (written,) if fixed or moved else own.all_zones
    times = project.quiet_plan.times(row.klass, row.channel)
    if times is None:
        return None, ()
    to = number_of(row)
    if moved and not fixed:
        return times.at(customer, to), (written,)
    return times.placed(customer, zone_in_force(written, None, None, None, written) if fixed else own, own, to)


def _same(one: Choice, other: Choice) -> bool:
    return (one.topic, one.channel) == (other.topic, other.channel)


def _opens(choice: Choice) -> bool:
    return choice.state == "in" and choice.refused is None


def _effective(choice: Choice) -> datetime:
    """When an opt-out was in the engine's hands: when it was made, unless that was told later. What binds an address
    (STOP) waits for its provider to tell."""
    told_later = choice.noted_at - choice.at > TOLD_LATE or choice.topic == EVERY_TOPIC
    return choice.noted_at if told_later else choice.at


def _ends(out: Choice, row: Message) -> bool:
    """Whether an opt-out ends such messages: those of its topic, or all; a STOP by text those of every class."""
    if out.channel != row.channel:
        return False
    if out.topic == EVERY_TOPIC:
        return out.source == "sms" or _class_of(row) != "transactional"
    return out.topic == row.topic and _class_of(row) != "transactional"


def _is_outdated(out: Choice, before: Iterable[Choice]) -> bool:
    """Whether a STOP was told after a START that was said later."""
    return out.topic == EVERY_TOPIC and any(_same(one, out) and _opens(one) and one.at > out.at for one in before)


def _closed_by(choices: Iterable[Choice], row: Message, at: datetime) -> Choice | None:
    """The opt-out that forbade a message at an instant; None: none did. Of STOP and START that one counts which was
    said last, in whatever order they came; a topic that was chosen since a STOP was told is open."""
    of_topic: Choice | None = None
    of_all: Choice | None = None
    for choice in choices:
        held_from = _effective(choice) if choice.state == "out" else choice.noted_at
        if choice.channel != row.channel or choice.refused is not None or held_from >= at:
            continue
        if choice.state == "pending":
            continue  # until it is confirmed, what was out stays out
        if choice.topic == row.topic:
            of_topic = choice
        elif choice.topic == EVERY_TOPIC and (of_all is None or (choice.at, choice.state) >= (of_all.at, of_all.state)):
            of_all = choice
    if of_all is not None and of_all.state == "out" and _ends(of_all, row):
        chosen = of_topic is not None and _opens(of_topic) and of_topic.source in OWN
        if not chosen or of_topic is None or of_topic.noted_at < of_all.noted_at:
            return of_all
    return of_topic if of_topic is not None and of_topic.state == "out" and _ends(of_topic, row) else None


def _last_choice(choices: Iterable[Choice], row: Message, at: datetime) -> Choice | None:
    """The choice that held for a message's topic at an instant."""
    found = None
    for choice in choices:
        if (choice.topic, choice.channel) == (row.topic, row.channel) and choice.refused is None:
            if choice.noted_at <= at:
                found = _prevailing(found, choice)
    return found


def _prevailing(before: Choice | None, choice: Choice) -> Choice:
    """Which of two choices holds, one after the other: an `in` with an end cuts short none that ends later or never."""
    if before is None or before.state != "in" or choice.state != "in" or choice.expires_at is None:
        return choice
    if before.expires_at is None:
        return before
    return before if before.expires_at > max(choice.expires_at, choice.noted_at) else choice


def _consented(sends: CustomerSends, row: Message, at: datetime) -> bool:
    """Whether an opt-in held. Where the ledger never tells anything, the profile does: it was filled before there was
    a ledger."""
    choice = _last_choice(sends.choices, row, at)
    if choice is None:
        place = (row.topic, row.channel)
        known = any((told.topic, told.channel) == place for told in sends.choices)
        return not known and sends.customer.consents.get(place) == "in"
    return choice.state == "in" and (choice.expires_at is None or at < choice.expires_at)
