"""`/k/...`: a customer's coupon, to be shown at a till: the code to scan and to read, what it is worth, how long it is
good, and whether it still is. Read only; what it costs is one page without scripts or pictures from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from fastapi import FastAPI
from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.core.ledger import Coupon
from orchestrator.core.project import Offer
from orchestrator.core.till import expires_at
from orchestrator.core.time.zone_in_force import zone_in_force
from orchestrator.http.languages import Language, locale_read
from orchestrator.http.links import Linked, linked
from orchestrator.http.page import asked_language, page
from orchestrator.http.service import Service
from orchestrator.http.words import words_of
from orchestrator.runtime.till import digits_of, look_up

LONGEST_BAR: Final = 40
"""Characters that a bar code still holds in a width that a phone can show and a scanner can read."""
_QUIET: Final = 4
"""Modules of white around both pictures, without which scanners do not find them."""
_GOOD: Final = frozenset({"issued", "locked"})


class _Words(NamedTuple):
    """What the page says of the offer, in the reader's language."""

    title: str
    worth: str
    validity: str | None
    conditions: Sequence[str]


def add_coupon_routes(app: FastAPI, service: Service) -> None:
    """Read only."""

    def show(request: Request, token: str) -> Response:
        return _shown(service, request, linked(service, token, "coupon"))

    app.add_api_route("/k/{token}", show, methods=["GET", "HEAD"], include_in_schema=False)


def _shown(service: Service, request: Request, found: Linked | None) -> Response:
    coupon = _coupon(service, found)
    locale = found.customer.locale if found is not None and found.customer is not None else None
    language = asked_language(service, request, locale)
    project = service.store.index.project
    offer = project.offers.get(coupon.offer) if coupon is not None else None
    if found is None or coupon is None:
        return page("gone", language, service, 404)
    if offer is None:  # it is not deployed any more: nobody redeems its codes
        return page("gone", language, service, 410, text="coupon_over")
    stands = look_up(service.store, coupon.code, service.journey_now(), service.real_now(), offer.id)
    status = str(stands.told.get("status", "void"))
    c = found.customer
    zone = project.timezone if c is None else zone_in_force(None, c.timezone, c.phone, c.country, project.timezone).zone
    said = _words(offer, coupon, language, locale_read(language, locale), zone, project.currency)
    good = status in _GOOD
    return page(
        "coupon", language, service, switch=True, said=said, code=coupon.code, good=good, stands=status,
        qr=qr_of(coupon.code) if good else None, bars=bars_of(coupon.code) if good else None,
    )  # fmt: skip


def _coupon(service: Service, found: Linked | None) -> Coupon | None:
    """The coupon that the message carries."""
    if found is None or found.row.coupon is None:
        return None
    card = service.store.card(found.row.customer_id)
    coupons = card.coupons if card is not None else ()
    return next((coupon for coupon in coupons if coupon.id == found.row.coupon), None)


def _words(
    offer: Offer, coupon: Coupon, language: Language, locale: str, zone: ZoneInfo, currency: str | None
) -> _Words:
    t = words_of(language)
    begin = None if offer.valid_from is None else t["coupon_from"].format(at=_told(offer.valid_from, zone, locale))
    ends = expires_at(offer, coupon)
    end = None if ends is None else t["coupon_until"].format(at=_told(ends, zone, locale))
    validity = " · ".join(text for text in (begin, end) if text is not None)
    conditions = []
    money = offer.limits.budget_currency or currency
    if offer.minimum_spend is not None:
        conditions.append(t["coupon_minimum"].format(amount=_money(offer.minimum_spend, money, locale)))
    each = offer.limits.budget_per_redemption
    if each is not None and "percent" in offer.discount:
        conditions.append(t["coupon_most"].format(amount=_money(each, money, locale)))
    if offer.conditions.get("stores"):
        conditions.append(t["coupon_stores"].format(names=_list(offer.conditions["stores"])))
    if offer.conditions.get("except_stores"):
        conditions.append(t["coupon_except_stores"].format(names=_list(offer.conditions["except_stores"])))
    plain = ("products", "except_products", "personal")
    conditions += [t[f"coupon_{name}"] for name in plain if offer.conditions.get(name)]
    return _Words(offer.title or t["coupon_title"], _worth(offer, t, locale), validity or None, conditions)


def _worth(offer: Offer, t: dict[str, str], locale: str) -> str:
    kind, value = next(iter(offer.discount.items()), ("percent", 0))
    if kind == "percent":
        return t["coupon_percent"].format(percent=f"{float(str(value)):g}")
    if kind == "amount" and isinstance(value, dict):
        return t["coupon_amount"].format(amount=" / ".join(_money(a, c, locale) for c, a in value.items()))
    return t[f"coupon_{kind}"].format(value=value)


def _money(amount: Any, currency: str | None, locale: str) -> str:
    from babel.numbers import format_currency, format_decimal

    number = float(str(amount))
    if currency is None:
        return str(format_decimal(number, locale=_babel(locale)))
    whole = number == int(number) or digits_of(currency) == 0
    pattern = "¤#,##0" if whole and _babel(locale).startswith(("en", "zh")) else None
    return str(format_currency(number, currency, pattern, locale=_babel(locale), currency_digits=not whole))


def _told(at: datetime, zone: ZoneInfo, locale: str) -> str:
    """An instant in the customer's own clock, with the place whose clock it is."""
    from babel.dates import format_date, format_time, get_timezone_location

    local, named = at.astimezone(zone), _babel(locale)
    day = format_date(local, "long", locale=named)
    place = zone.key if zone.key == "UTC" else get_timezone_location(zone, locale=named, return_city=True)
    return f"{day} {format_time(local, 'short', locale=named)} ({place})"


def _babel(locale: str) -> str:
    """A locale that Babel has: the reader's own, or that of the page's language."""
    from babel import Locale, UnknownLocaleError

    try:
        return str(Locale.parse(locale.replace("-", "_")))
    except (UnknownLocaleError, ValueError):
        return "zh_Hans" if locale.startswith("zh") else "en"


def _list(names: object) -> str:
    return ", ".join(map(str, names)) if isinstance(names, (list, tuple)) else ""


# --- pictures: dark modules as one path, so that they need neither styles nor scripts ---------------------------------


def qr_of(code: str) -> Markup | None:
    """A QR code (level M) as SVG; None where the code is too long for one."""
    import segno

    try:
        rows = [bytes(row) for row in segno.make_qr(code, error="m").matrix]
    except (ValueError, segno.DataOverflowError):
        return None
    path = "".join(_runs(row, n + _QUIET, 1) for n, row in enumerate(rows))
    return _svg(path, len(rows) + 2 * _QUIET, len(rows) + 2 * _QUIET, "qr")


def bars_of(code: str) -> Markup | None:
    """A bar code (Code 128) as SVG; None for a code that it cannot hold."""
    from barcode.codex import Code128

    if len(code) > LONGEST_BAR or not code.isascii() or not code.isprintable():
        return None
    [modules] = Code128(code).build()
    row = bytes(module == "1" for module in modules)
    return _svg(_runs(row, 0, 24, 10), len(row) + 20, 24, "bars")


def _runs(row: bytes, top: int, height: int, left: int = _QUIET) -> str:
    """The dark modules of a row, each run of them as one rectangle."""
    found, begin = [], None
    for place, dark in enumerate((*row, 0)):
        if dark and begin is None:
            begin = place
        elif not dark and begin is not None:
            found.append(f"M{begin + left} {top}h{place - begin}v{height}h-{place - begin}z")
            begin = None
    return "".join(found)


def _svg(path: str, width: int, height: int, name: str) -> Markup:
    # White behind it whatever the page's colours: scanners read dark on light.
    return Markup(
        f'<svg class="{name}" viewBox="0 0 {width} {height}" shape-rendering="crispEdges" aria-hidden="true">'
        f'<path fill="#fff" d="M0 0h{width}v{height}H0z"/><path fill="#000" d="{path}"/></svg>'
    )
