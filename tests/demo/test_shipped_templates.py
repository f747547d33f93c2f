"""The shipped templates: each renders in each language, for a guest we know and for one we know nothing about."""

from __future__ import annotations

import csv
import re
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest

from orchestrator.templating.render import Rendered, Renderer
from orchestrator.templating.templates import TemplateLibrary, TemplateVariant
from tests.shipped import ROOT, shipped_project, template_names

BRAND = {"name": "Blue Harbour", "url": "https://blueharbour.example.com", "address": "Rua da Alfândega 12, Lisboa"}
EXTRAS = {
    "unsubscribe_url": "https://mail.example.com/u/1",
    "preferences_url": "https://mail.example.com/u/2",
    "view_url": "https://mail.example.com/v/1",
    "survey": {
        "url": "https://mail.example.com/s/1",
        "links": [{"score": score, "url": f"https://mail.example.com/s/1?score={score}"} for score in range(11)],
    },
    "timezone": "Europe/Lisbon",
}
GSM = set(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
"""The basic alphabet of a text message, 160 characters of which are one segment."""

VALUES: dict[str, Any] = {
    "coupon": {"code": "BASKETABC234"},
    "customer.home_store": "s-lisbon",
    "entry.quote_id": "Q20441",
    "entry.rooms": 12,
    "entry.sku": "BH-ROBE",
    "entry.key": "BH-SOAP",
    "entry.to": "gold",
    "customer.first_name": "Mariana",
    "entry.booking_id": "B104422",
    "entry.cart_id": "c1",
    "entry.check_in": "2026-06-20",
    "entry.check_out": "2026-06-22",
    "entry.currency": "EUR",
    "entry.items": [{"sku": "BH-ROBE", "title": "Waffle bathrobe", "quantity": 2}, {"sku": "BH-SOAP"}],
    "entry.total": 260.5,
    "coupon.code": "BASKETABC234",
    "coupon.expires_at": "2026-09-30T23:30:00Z",
    "gift.code": "MISSYOUABC234",
    "gift.expires_at": "2026-09-30T23:30:00Z",
}


def catalog(name: str) -> dict[str, dict[str, str]]:
    with (ROOT / f"journeys/catalogs/{name}.csv").open(newline="", encoding="utf-8") as lines:
        return {next(iter(row.values())): row for row in csv.DictReader(lines)}


HOTELS, STORES, PRODUCTS = catalog("hotels"), catalog("stores"), catalog("products")


@dataclass(frozen=True)
class Moment:
    """What a message is about, as far as its words depend on it."""

    hotel: str = "lisbon"
    store: str = "s-lisbon"
    sky: str = "rain"
    named: bool = True
    reminder: int = 1
    season: str = "spring"
    tier: str = "gold"


MOMENTS = (
    *(
        Moment(hotel, f"s-{hotel}", sky, named)
        for hotel in HOTELS
        for sky in ("rain", "sun", "snow", "unknown")
        for named in (True, False)
    ),
    *(Moment(reminder=2, season=season, tier="platinum") for season in ("spring", "summer", "autumn", "winter")),
)


def frozen(variant: TemplateVariant, moment: Moment) -> dict[str, Any]:
    """What the engine would freeze into the row of a message."""
    return {key: value_of(key, moment) for key, _ in variant.uses}


def value_of(key: str, moment: Moment) -> Any:
    if known := re.fullmatch(r"\(we\w+\.kind \| default\('unknown'\)\) == '(\w+)'", key):
        return known.group(1) == moment.sky
    if known := re.fullmatch(r"entry.trigger == '(\w+)'", key):
        return known.group(1) == moment.season
    if known := re.fullmatch(r"catalog\('hotels', entry.hotel_id\)\.(\w+)", key):
        return HOTELS[moment.hotel][known.group(1)]
    if known := re.fullmatch(r"catalog\('products', store\.(\w+)\)\.(\w+)", key):
        return PRODUCTS[STORES[moment.store][known.group(1)]][known.group(2)]
    if known := re.fullmatch(r"catalog\('products', (entry\.\w+)\)\.(\w+)", key):
        return PRODUCTS[VALUES[known.group(1)]][known.group(2)]
    if known := re.fullmatch(r"entry\.(after|before)\.(\w+)", key):
        dearer = 10 if known.group(1) == "before" else 0
        value = PRODUCTS[VALUES["entry.key"]][known.group(2)]
        return float(value) + dearer if known.group(2) == "price_eur" else value
    if key == "recommended('products')":
        return [{**row, "price_eur": float(row["price_eur"])} for row in list(PRODUCTS.values())[:3]]
    if known := re.fullmatch(r"store\.(\w+)", key):
        return STORES[moment.store][known.group(1)]
    told = {
        "entry.hotel_id": moment.hotel,
        "entry.to": moment.tier,
        "entry.change == 'back_in_stock'": moment.named,
        "entry.to == 'platinum'": moment.tier == "platinum",
        "reminder == 1": moment.reminder == 1,
        "customer.first_name": "Mariana" if moment.named else None,
    }
    return told[key] if key in told else VALUES[key]


def library() -> TemplateLibrary:
    return shipped_project().templates


@cache
def renderer() -> Renderer:
    return Renderer(library(), BRAND)


def rendered(variant: TemplateVariant, moment: Moment = MOMENTS[0]) -> Rendered:
    return renderer().render(variant, frozen(variant, moment), EXTRAS)


def name_of(variant: TemplateVariant) -> str:
    return f"{variant.channel}-{variant.name}-{variant.locale or 'en'}"


@cache
def by_name() -> dict[str, TemplateVariant]:
    return {name_of(variant): variant for variant in library().variants()}


@pytest.fixture
def variant(request: pytest.FixtureRequest) -> TemplateVariant:
    """The one of this name."""
    return by_name()[request.param]


every_template = pytest.mark.parametrize("variant", template_names(), indirect=True)
every_email = pytest.mark.parametrize(
    "variant", [name for name in template_names() if name.startswith("email-")], indirect=True
)
every_text = pytest.mark.parametrize(
    "variant", [name for name in template_names() if name.startswith("sms-")], indirect=True
)


def test_the_files_have_no_problems() -> None:
    assert [problem.headline() for problem in library().problems] == []


def test_every_template_is_there_in_english_and_chinese() -> None:
    assert sorted(by_name()) == template_names()
    assert len(library().sets) >= 59
    for found in library().sets.values():
        assert found.variants.keys() == {None, "zh"}


@every_template
def test_nothing_is_missing_for_a_guest_without_a_name(variant: TemplateVariant) -> None:
    for moment in different(variant):
        message = rendered(variant, moment)
        for text in (message.subject or "", message.preheader or "", message.text, message.html or ""):
            assert not re.search(r"\b(None|none|undefined)\b|\{\{|\{%", re.sub(r"<[^>]*>", "", _body(text)))
        assert not re.search(r"^[ ,，]|[ ,，]$|[,，] *[,，]", message.subject or "")
        assert len(message.subject or "") <= 65


def different(variant: TemplateVariant) -> list[Moment]:
    """The moments in which the template says something different, one of each."""
    found = {repr(sorted(frozen(variant, moment).items(), key=lambda pair: pair[0])): moment for moment in MOMENTS}
    return list(found.values())


def _body(html: str) -> str:
    return html.rpartition("</style>")[2]


@every_email
def test_emails_look_right_everywhere(variant: TemplateVariant) -> None:
    message = rendered(variant)
    assert message.html is not None and message.subject and message.preheader
    assert len(message.html) < 60_000
    assert len(re.findall(r'<td[^>]*class="cta"', message.html)) == 1
    assert 'name="color-scheme"' in message.html
    assert "prefers-color-scheme: dark" in message.html
    assert re.search(r'<html[^>]*lang="(en|zh-CN)"', message.html)
    images = re.findall(r"<img[^>]*>", message.html)
    assert images and all(re.search(r'alt="[^"]+"', image) for image in images)
    assert "max-width:600px" in message.html.replace(" ", "")


@every_email
def test_all_but_messages_about_a_booking_can_be_unsubscribed(variant: TemplateVariant) -> None:
    about_a_booking = variant.name in {"booking_confirmation", "booking_cancelled"}
    assert variant.places_unsubscribe_url is not about_a_booking


@every_email
def test_chinese_mails_are_chinese(variant: TemplateVariant) -> None:
    message = rendered(variant)
    chinese = bool(re.search(r"[\u4e00-\u9fff]", f"{message.subject}{message.preheader}{message.text}"))
    assert chinese is (variant.locale == "zh")


@every_text
def test_a_text_is_one_segment(variant: TemplateVariant) -> None:
    for moment in different(variant):
        text = rendered(variant, moment).text
        if variant.locale == "zh":
            assert text.startswith("【蓝港】") and text.endswith("回T退订")
            assert len(text) <= 70
        else:
            assert "Blue Harbour" in text and text.endswith("Reply STOP to opt out")
            assert set(text) <= GSM
            assert len(text) <= 160


@every_template
def test_images_that_are_shown_exist(variant: TemplateVariant) -> None:
    message = rendered(variant)
    for source in re.findall(r'src="(assets/[^"]+)"', message.html or ""):
        assert (ROOT / "templates" / source).is_file()
