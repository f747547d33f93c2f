"""What the world does when a message, a coupon or a task reaches it: guests open, answer, redeem, staff pick up phones.

Pure: what follows on a line of the journal depends on the seed and that line only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from random import Random
from typing import Any, Final, NamedTuple

OPENS, CLICKS, STOPS = 0.16, 0.22, 0.004
"""Mails that are opened, opened ones of which a link is followed, texts that are answered with STOP."""
BOUNCES, COMPLAINTS = 0.006, 0.0006
"""Addresses that are no mailbox any more, and messages that are reported as unwanted."""
REDEEMED: Final[Mapping[str, float]] = {
    "basket10": 0.22,
    "winback10": 0.10,
    "winback_gift": 0.30,
    "birthday15": 0.25,
    "second15": 0.18,
    "private20": 0.35,
    "upgrade_night": 0.02,
    "goodwill40": 0.25,
}
"""Coupons that are used, by offer."""
ANSWERED: Final[Mapping[str, float]] = {"csat_room": 0.45, "room_wish": 0.35}
STARS: Final = {5: 46, 4: 31, 3: 12, 2: 7, 1: 4}
WISHES: Final = ("sea", "sea", "sea", "garden", "quiet")
GRUMBLES: Final = ("The air conditioning rattles", "No hot water last night", "Street noise until one")
PICKED_UP: Final[Mapping[str, tuple[str, ...]]] = {
    "call_guest": ("reached", "reached", "reached", "later"),
    "call": ("reached", "reached", "later", "no_interest"),
    "look_after": ("settled", "settled", "goodwill"),
}
"""How tasks end, by the step that made them; each as likely."""
LEFT_LYING: Final = 0.12
"""Tasks that nobody takes before they are due."""


class Reaction(NamedTuple):
    """Something that comes back `after` a line was written. `kind`: open, click, reply, survey, task or redeem."""

    after: timedelta
    kind: str
    data: Mapping[str, Any]


def no_mailbox(seed: int, address: str) -> bool:
    """Whether a mail address is none any more."""
    return Random(f"{seed}/mailbox/{address}").random() < BOUNCES


def reports(seed: int, message_id: str) -> bool:
    """Whether the reader presses the button for unwanted mail."""
    return Random(f"{seed}/report/{message_id}").random() < COMPLAINTS


def reactions(seed: int, line: Mapping[str, Any]) -> Iterator[Reaction]:
    """What comes back on a line of the journal, as `simulate` prints it."""
    if line["type"] not in ("message", "coupon", "task"):
        return
    random = Random(f"{seed}/{line['customer']}/{line['journey']}/{line['step']}/{line['at']}")
    match line["type"]:
        case "message":
            yield from _read(random, line)
        case "coupon" if random.random() < REDEEMED.get(line["offer"], 0.1):
            total = round(random.uniform(110, 380), 2)
            yield Reaction(_days(random, 0.2, 12), "redeem", {"offer": line["offer"], "total": total})
        case "task" if random.random() >= LEFT_LYING:
            outcomes = PICKED_UP.get(line["step"])
            outcome = random.choice(outcomes) if outcomes else None
            yield Reaction(timedelta(minutes=random.randrange(10, 110)), "task", {"outcome": outcome})


def _read(random: Random, line: Mapping[str, Any]) -> Iterator[Reaction]:
    where = {"channel": line["channel"]}
    asked = ANSWERED.get(line["template"])
    if asked is not None:
        if random.random() < asked:
            after = timedelta(minutes=random.randrange(4, 240))
            yield Reaction(after, "survey", {"name": line["template"], **_answer(random, line["template"])})
    elif line["channel"] == "sms":
        if random.random() < STOPS:
            yield Reaction(timedelta(minutes=random.randrange(1, 60)), "reply", where | {"text": "STOP"})
    elif line["channel"] == "email" and random.random() < OPENS:
        after = timedelta(minutes=random.randrange(2, 900))
        yield Reaction(after, "open", where)
        if random.random() < CLICKS:
            yield Reaction(after + timedelta(minutes=1), "click", where)


def _answer(random: Random, survey: str) -> dict[str, Any]:
    if survey == "room_wish":
        return {"choice": random.choice(WISHES)}
    score = random.choices(tuple(STARS), weights=tuple(STARS.values()))[0]
    return {"score": score, "text": random.choice(GRUMBLES) if score <= 2 else None}


def _days(random: Random, least: float, most: float) -> timedelta:
    return timedelta(seconds=round(random.uniform(least, most) * 86_400))
