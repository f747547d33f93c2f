"""The guests of the demonstration: who they are, where they live, what they agreed to. Nobody of them exists."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from orchestrator.demo.calibration import pick
from orchestrator.records import dataclass


class Home(NamedTuple):
    """Where a guest lives. `phone`: # are digits; numbers reserved for fiction, where a country reserves some."""

    country: str
    timezone: str
    locale: str
    city: str
    phone: str
    share: float


HOMES = (
    Home("PT", "Europe/Lisbon", "pt", "Porto", "+35191000####", 0.33),
    Home("CN", "Asia/Shanghai", "zh-CN", "Shanghai", "+861380000####", 0.19),
    Home("GB", "Europe/London", "en-GB", "Leeds", "+447700900###", 0.15),
    Home("FR", "Europe/Paris", "en", "Lyon", "+3363998####", 0.09),
    Home("ES", "Europe/Madrid", "en", "Seville", "+3460000####", 0.07),
    Home("DE", "Europe/Berlin", "en", "Hamburg", "+4915100000###", 0.07),
    Home("BR", "America/Sao_Paulo", "pt", "Recife", "+551199000####", 0.05),
    Home("US", "America/New_York", "en", "Boston", "+161755501##", 0.05),
)

STORES = {
    "PT": ("s-lisbon", "s-algarve", "s-azores"),
    "CN": ("s-shanghai", "s-sanya"),
    "GB": ("s-london",),
    "FR": ("s-paris",),
}
"""The shops near a home, by its country; whoever lives elsewhere has one in mind from a stay."""

GIVEN = {
    "pt": [
        "Ana", "João", "Maria", "Pedro", "Inês", "Tiago", "Beatriz", "Rui", "Sofia", "Miguel", "Mariana", "Diogo",
        "Leonor", "André", "Carolina", "Nuno",
    ],
    "zh": [
        "婷婷", "伟", "芳", "磊", "静", "欣怡", "子轩", "雨桐",
        "浩然", "梓涵", "建国", "秀英", "志强", "丽华", "一诺", "宇航",
    ],
    "en": [
        "Emma", "Luc", "Olivia", "Hans", "Grace", "Carlos", "Chloe", "Jonas", "Lucía", "Mark", "Amélie", "Paul",
        "Nora", "Jack", "Elena", "Felix",
    ],
}  # fmt: skip
FAMILY = {
    "pt": [
        "Silva", "Santos", "Ferreira", "Pereira", "Oliveira", "Costa", "Rodrigues", "Martins", "Sousa", "Lopes",
        "Almeida", "Ribeiro",
    ],
    "zh": ["王", "李", "张", "刘", "陈", "杨", "黄", "赵", "吴", "周", "徐", "孙"],
    "en": [
        "Smith", "Martin", "García", "Müller", "Taylor", "Dubois", "Brown", "Weber", "Evans", "Moreau", "Wilson",
        "Fischer",
    ],
}  # fmt: skip

TIERS = {"basic": 0.70, "silver": 0.18, "gold": 0.09, "platinum": 0.03}
OFFERS_BY_EMAIL = {"in": 0.60, "out": 0.08, "": 0.32}
OFFERS_BY_SMS = {"in": 0.30, "out": 0.06, "": 0.64}
CARE_REFUSED = 0.02
KNOWN_AT_START = 0.88
HAS_EMAIL, HAS_PHONE, HAS_ZONE, HAS_BIRTHDAY = 0.96, 0.62, 0.90, 0.70
KEEPS_LUNAR_BIRTHDAY = 0.30
OPTS_OUT_PER_YEAR = 0.06
READS_FLYER = 0.02
"""Guests who asked for the Thursday letter of a shop."""


@dataclass(frozen=True, slots=True)
class Person:
    """One guest. `profile` is shaped like a customer of a scenario file; `signs_up` None: known before the start."""

    profile: Mapping[str, Any]
    home: Home
    signs_up: float | None
    """The part of the demonstrated time that has passed when the account is opened."""
    activity: float
    """How often this guest books and buys, relative to the average."""

    @property
    def id(self) -> str:
        return str(self.profile["id"])


@lru_cache(maxsize=1 << 15)
def person(seed: int, number: int, start: date) -> Person:
    """Guest `number` of the demonstration `seed`: the same person however many others there are.

    Kept, because profile, past and season all ask; nobody changes it.
    """
    random = Random(f"{seed}/person/{number}")
    home = random.choices(HOMES, weights=[home.share for home in HOMES])[0]
    profile: dict[str, Any] = {"id": f"g{number:06d}"}
    if random.random() < HAS_EMAIL:
        profile["email"] = f"guest{number:06d}@example.com"
    if random.random() < HAS_PHONE:
        profile["phone"] = "".join(str(random.randrange(10)) if sign == "#" else sign for sign in home.phone)
    if random.random() < HAS_ZONE:
        profile["timezone"] = home.timezone
    profile |= {"locale": home.locale, "country": home.country}
    tier = pick(random, TIERS)
    profile["attributes"] = _attributes(random, home, tier, start)
    consents = _consents(random, profile)
    store = _home_store(Random(f"{seed}/flyer/{number}"), home, profile)
    if store is not None:
        profile["attributes"]["home_store"] = store
        consents["flyer"] = {"email": "in"}
    if consents:
        profile["consents"] = consents
    signs_up = None if random.random() < KNOWN_AT_START else random.random()
    if signs_up is not None:
        profile["attributes"]["tier"] = "basic"  # everybody begins there
    elif tier in ("gold", "platinum"):
        profile["stage"] = "loyalty"
    boost = {"basic": 1.0, "silver": 1.5, "gold": 2.2, "platinum": 3.0}[tier]
    return Person(profile, home, signs_up, boost * random.lognormvariate(-0.18, 0.6))


def _attributes(random: Random, home: Home, tier: str, start: date) -> dict[str, Any]:
    tongue = home.locale.partition("-")[0]
    attributes: dict[str, Any] = {
        "first_name": random.choice(GIVEN[tongue]),
        "last_name": random.choice(FAMILY[tongue]),
        "tier": tier,
        "city": home.city,
    }
    born = start - timedelta(days=round(random.triangular(18 * 365.25, 82 * 365.25, 41 * 365.25)))
    if random.random() < HAS_BIRTHDAY:
        attributes["birthday"] = born.isoformat()
        if home.country == "CN" and random.random() < KEEPS_LUNAR_BIRTHDAY:
            attributes["lunar_birthday"] = born.isoformat()
    return attributes


def _home_store(random: Random, home: Home, profile: Mapping[str, Any]) -> str | None:
    """The shop whose letter the guest asked for; None: did not."""
    if random.random() >= READS_FLYER or "email" not in profile:
        return None
    return random.choice(STORES.get(home.country, ("s-lisbon", "s-algarve", "s-paris")))


def _consents(random: Random, profile: Mapping[str, Any]) -> dict[str, dict[str, str]]:
    consents: dict[str, dict[str, str]] = {}
    for channel, address, shares in (("email", "email", OFFERS_BY_EMAIL), ("sms", "phone", OFFERS_BY_SMS)):
        state = pick(random, shares)
        if state and address in profile:
            consents.setdefault("promotions", {})[channel] = state
    if random.random() < CARE_REFUSED:
        consents["care"] = {"email": "out"}
    return consents
