"""How much mail the mailboxes of one operator may get: by domain, or by a group of domains that belong together."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Final, NamedTuple

GROUPS: Final[Mapping[str, tuple[str, ...]]] = {
    "google": ("gmail.com", "googlemail.com"),
    "microsoft": ("outlook.com", "hotmail.com", "live.com", "msn.com"),
    "yahoo": ("yahoo.com", "ymail.com", "rocketmail.com", "aol.com"),
    "apple": ("icloud.com", "me.com", "mac.com"),
    "qq": ("qq.com", "foxmail.com", "vip.qq.com"),
    "netease": ("163.com", "126.com", "yeah.net"),
}
"""Operators whose domains a project need not list."""


class DomainLimit(NamedTuple):
    """`rate` messages a second, `daily` a day of the project's zone, and the `ramp` (first day's messages, that day,
    the daily growth) by which the bound of a day is reached; None: no such bound."""

    name: str
    domains: frozenset[str]
    rate: float | None = None
    daily: int | None = None
    ramp: tuple[int, date, float] | None = None
