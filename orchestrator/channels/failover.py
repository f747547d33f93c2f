"""Several providers behind one channel: the first that is in order takes a message, the next one those it does not.

Where providers have weights, the first one of a message is drawn by a hash of its id, so that a message that comes
again meets the same one; the others stand in for it in their order.

A message goes on to the next provider in the same hand-over only if the one before certainly has not taken it (`retry`
with `down`), and only within a second: an opt-out binds two seconds after it, whoever is asked. What waited longer is
claimed anew, with all its checks. Transactional messages, which no opt-out stops, go on for ten seconds.

A message that a provider may have (`unknown`) never goes to another one: this process remembers whose it is. Across
the end of a process nobody knows that, so such a channel is never `idempotent`, even where all its providers take our
id as a key: what is uncertain is left to the rules for channels without keys.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

from orchestrator.channels.gate import Gate, ProviderGate
from orchestrator.channels.protocol import Answer, Channel, Outgoing
from orchestrator.core.identity import share

ONWARD_WITHIN: Final = 1.0
"""Seconds after the beginning of a hand-over in which a message may go on to the next provider."""
TRANSACTIONAL_WITHIN: Final = 10.0
MOST_REMEMBERED: Final = 10_000
"""Messages of which it is remembered who may have them."""
SOON: Final = 0.05
"""Seconds after which a message comes again that found no provider."""


class Provider(NamedTuple):
    """One of them, by the name under which people see it: `ses`, or `ses-2` for the second of a kind."""

    name: str
    channel: Channel
    weight: int | None = None
    """Its part of the traffic, beside those of the others; 0: it only stands in. None: nobody has one."""


class FailoverChannel:
    """Safe for several threads. Each provider keeps its own rate, quota and circuit: see `use`."""

    idempotent = False
    rate = None

    def __init__(self, providers: Sequence[Provider], clock: Callable[[], float] = time.monotonic) -> None:
        self.providers = tuple(providers)
        self.width = min(provider.channel.width for provider in providers)
        self._clock = clock
        self._gates: Mapping[str, ProviderGate] = {
            provider.name: Gate(provider.name, provider.channel.rate) for provider in providers
        }
        self._orders = orders_of([provider.weight for provider in providers])
        self._whose: dict[str, int] = {}
        self._lock = threading.Lock()

    def use(self, gates: Mapping[str, ProviderGate], clock: Callable[[], float]) -> None:
        """From now on these let messages through to the providers, by name: those that other processes share."""
        self._gates, self._clock = gates, clock

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Hand over to the first provider that is in order, and what it has not taken to the next."""
        began_at = self._clock()
        answers: list[Answer | None] = [None] * len(messages)
        left = list(range(len(messages)))
        orders = [self._order(message) for message in messages]
        begun = False
        for turn in range(len(self.providers)):
            asked: dict[int, list[int]] = {}
            for n in left:
                asked.setdefault(orders[n][turn], []).append(n)
            for place in sorted(asked):
                waited = self._clock() - began_at if begun else 0.0
                mine = [n for n in asked[place] if self._may_go(messages[n], place, waited)]
                begun = True
                if mine:
                    self._hand_over(place, self.providers[place], messages, mine, answers)
            left = [n for n in left if _goes_on(answers[n])]
            if not left:
                break
        return [answer or self._nobody() for answer in answers]

    def close(self) -> None:
        """Close all of them."""
        for provider in self.providers:
            provider.channel.close()

    def _order(self, message: Outgoing) -> tuple[int, ...]:
        """The places of the providers in the order in which this message is offered to them."""
        if len(self._orders) == 1:
            return self._orders[0][1]
        drawn = share("provider", message.id)
        return next((order for upto, order in self._orders if drawn < upto), self._orders[-1][1])

    def _may_go(self, message: Outgoing, place: int, waited: float) -> bool:
        whose = self._whose.get(message.id)
        if whose is not None:
            return whose == place
        return waited <= (TRANSACTIONAL_WITHIN if message.klass == "transactional" else ONWARD_WITHIN)

    def _hand_over(
        self,
        place: int,
        provider: Provider,
        messages: Sequence[Outgoing],
        mine: list[int],
        answers: list[Answer | None],
    ) -> None:
        gate = self._gates[provider.name]
        admitted = gate.take(len(mine), self._clock())
        for group in _groups(mine[:admitted], provider.channel.width):
            said = _send(provider.channel, [messages[n] for n in group])
            gate.note(said, self._clock())
            for n, answer in zip(group, said, strict=True):
                answers[n] = answer
                if answer.outcome == "unknown":
                    self._remember(messages[n].id, place)
                elif answer.outcome != "retry":
                    self._whose.pop(messages[n].id, None)

    def _remember(self, id: str, place: int) -> None:
        with self._lock:
            self._whose[id] = place
            while len(self._whose) > MOST_REMEMBERED:
                self._whose.pop(next(iter(self._whose)), None)

    def _nobody(self) -> Answer:
        """None of them could be asked. It is no message's fault, and nobody is given up for it."""
        now = self._clock()
        states = {provider.name: self._gates[provider.name].state(now) for provider in self.providers}
        why = "; ".join(f"{name}: {state.reason or 'no room just now'}" for name, state in states.items())
        after = min(self._gates[name].come_again(now) for name in states)
        return Answer("retry", f"no provider takes it now ({why})", after=max(SOON, after), down=True)


def orders_of(weights: Sequence[int | None]) -> tuple[tuple[float, tuple[int, ...]], ...]:
    """The orders in which messages are offered, each with the share up to which it is drawn. Without weights there is
    one. Raises ValueError where all weights are 0."""
    places = tuple(range(len(weights)))
    total = sum(weight or 0 for weight in weights)
    if all(weight is None for weight in weights):
        return ((1.0, places),)
    if total <= 0:
        raise ValueError("no provider has a weight above 0")
    found, upto = [], 0
    for place, weight in enumerate(weights):
        if weight:
            upto += weight
            found.append((upto / total, (place, *(other for other in places if other != place))))
    return tuple(found)


def failover_of(channel: Channel) -> FailoverChannel | None:
    """The failover channel inside what was wrapped around it; None: there is one provider."""
    found: Channel | None = channel
    while found is not None and not isinstance(found, FailoverChannel):
        found = getattr(found, "inner", None)
    return found


def _goes_on(answer: Answer | None) -> bool:
    """Whether another provider may be asked."""
    return answer is None or (answer.outcome == "retry" and answer.down)


def _groups(places: list[int], width: int) -> Iterator[list[int]]:
    for start in range(0, len(places), width):
        yield places[start : start + width]


def _send(channel: Channel, messages: Sequence[Outgoing]) -> Sequence[Answer]:
    try:
        answers = channel.send(messages)
    except Exception as error:  # the adapter broke its contract: nobody knows how far it came
        return [Answer("unknown", f"{type(error).__name__}: {error}")] * len(messages)
    if len(answers) != len(messages):
        return [Answer("unknown", f"{len(answers)} answers to {len(messages)} messages")] * len(messages)
    return answers
