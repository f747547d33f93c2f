"""Baskets and orders of the demonstration: bought at once, bought after a reminder, or left behind."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from random import Random
from typing import Any, NamedTuple

from orchestrator.demo.stays import HOTELS, PER_EURO, Happening, Hotel, hour_of_leisure, local


class Product(NamedTuple):
    """A product of the catalog. `title_zh` stands on the shelves of the shops in China; `share`: how often picked."""

    sku: str
    title: str
    title_zh: str
    price_eur: float
    share: float


PRODUCTS = (
    Product("BH-ROBE", "Waffle bathrobe", "华夫格浴袍", 89, 9),
    Product("BH-TOWEL", "Set of four bath towels", "浴巾四件套", 64, 8),
    Product("BH-SOAP", "Sea-salt soap", "海盐香皂", 12, 16),
    Product("BH-SHEETS", "Percale bed linen", "高支纯棉床品四件套", 189, 6),
    Product("BH-PILLOW", "The hotel pillow", "同款酒店枕", 59, 8),
    Product("BH-DUVET", "All-season duvet", "四季羽绒被", 240, 3),
    Product("BH-CANDLE", "Cedar and tide candle", "雪松海潮香薰", 38, 10),
    Product("BH-DIFF", "Lobby scent diffuser", "大堂同款扩香", 75, 5),
    Product("BH-TILES", "Hand-painted tile coasters", "手绘瓷砖杯垫", 29, 8),
    Product("BH-TEA", "Azores green tea", "亚速尔绿茶", 16, 9),
    Product("BH-SARD", "Tinned sardines in olive oil", "橄榄油沙丁鱼罐头", 9, 7),
    Product("BH-PORT", "Twenty-year tawny port", "二十年波特酒", 68, 5),
    Product("BH-BAG", "Canvas beach bag", "帆布沙滩包", 45, 3),
    Product("BH-HAT", "Straw hat", "草编帽", 35, 2),
    Product("BH-BOAT", "Wooden sailing boat", "木制小帆船", 32, 1),
)

BOUGHT_AT_ONCE = 0.27
BOUGHT_LATER = 0.10
EMPTIED = 0.06
BUYS_DURING_STAY = 0.30
BUYS_AGAIN = 0.22
"""Orders that another one follows within some weeks."""
REFILLS = {"BH-SOAP": 42, "BH-CANDLE": 60, "BH-DIFF": 90, "BH-TEA": 45, "BH-SARD": 50, "BH-PORT": 120}
"""What is used up, and after how many days, as in the catalog."""
REFILLED = 0.25


def basket(random: Random, cart_id: str, in_china: bool, day: date, zone: str) -> Iterator[Happening]:
    """One visit to the online shop on `day`: the basket fills, and is bought or not."""
    hotel = random.choice([hotel for hotel in HOTELS if (hotel.currency == "CNY") is in_china])
    moment = local(day, hour_of_leisure(random), zone)
    items: list[dict[str, Any]] = []
    for _ in range(random.choice((1, 1, 2, 2, 3))):
        items = [*items, _line(random, hotel)]
        yield moment, "cart_updated", _cart(cart_id, hotel, items)
        moment += timedelta(seconds=random.randrange(40, 600))
    fate = random.random()
    if fate < BOUGHT_AT_ONCE:
        yield _order(cart_id, moment + timedelta(minutes=random.randrange(1, 40)), hotel, items)
    elif fate < BOUGHT_AT_ONCE + BOUGHT_LATER:
        yield _order(cart_id, moment + timedelta(minutes=random.randrange(75, 4000)), hotel, items)
    elif fate < BOUGHT_AT_ONCE + BOUGHT_LATER + EMPTIED:
        yield moment, "cart_updated", _cart(cart_id, hotel, [])


def afterwards(random: Random, order: Happening, in_china: bool, zone: str) -> Iterator[Happening]:
    """What an order leads to: the same thing again when it is used up, something else soon, or nothing."""
    at, _, bought = order
    order_id = bought["order_id"].removeprefix("o-")
    refill = next((line for line in bought["items"] if line["sku"] in REFILLS), None)
    if refill is not None and random.random() < REFILLED:
        hotel = next(hotel for hotel in HOTELS if hotel.store_id == bought["store_id"])
        lasts_for = timedelta(days=REFILLS[refill["sku"]] * refill["quantity"] * random.uniform(0.7, 1.1))
        again_at, name, properties = _order(f"{order_id}-r", (at + lasts_for).replace(microsecond=0), hotel, [refill])
        del properties["cart_id"]
        yield again_at, name, properties
    elif random.random() < BUYS_AGAIN:
        day = at.date() + timedelta(days=random.randint(4, 45))
        yield from basket(random, f"{order_id}-s", in_china, day, zone)


def bought_before(random: Random, order_id: str, in_china: bool) -> dict[str, Any]:
    """The properties of an order of the past, online or at a till."""
    hotel = random.choice([hotel for hotel in HOTELS if (hotel.currency == "CNY") is in_china])
    items = [_line(random, hotel) for _ in range(random.choice((1, 1, 2, 3)))]
    return {"order_id": f"o-{order_id}", "store_id": hotel.store_id, "items": items} | _totals(hotel, items)


def till(random: Random, booking_id: str, hotel: Hotel, arrived_at: datetime, left_at: datetime) -> Iterator[Happening]:
    """What a guest buys in the shop of the house during a stay, if anything; a till knows no basket."""
    if random.random() >= BUYS_DURING_STAY:
        return
    moment = arrived_at + (left_at - arrived_at) * random.uniform(0.1, 0.9)
    items = [_line(random, hotel) for _ in range(random.choice((1, 1, 1, 2, 3)))]
    at, name, properties = _order(booking_id, moment.replace(microsecond=0), hotel, items)
    del properties["cart_id"]
    yield at, name, properties


def _line(random: Random, hotel: Hotel) -> dict[str, Any]:
    product = random.choices(PRODUCTS, weights=[product.share for product in PRODUCTS])[0]
    quantity = random.choice((1, 1, 1, 1, 2, 3)) if product.price_eur < 40 else 1
    price = round(product.price_eur * PER_EURO[hotel.currency], 2)
    title = product.title_zh if hotel.currency == "CNY" else product.title
    return {"sku": product.sku, "title": title, "price": price, "quantity": quantity}


def _cart(cart_id: str, hotel: Hotel, items: list[dict[str, Any]]) -> dict[str, Any]:
    return {"cart_id": cart_id, "store_id": hotel.store_id, "items": items, **_totals(hotel, items)}


def _order(cart_id: str, at: datetime, hotel: Hotel, items: list[dict[str, Any]]) -> Happening:
    order = {"order_id": f"o-{cart_id}", "cart_id": cart_id, "store_id": hotel.store_id, "items": items}
    return at, "order_placed", order | _totals(hotel, items)


def _totals(hotel: Hotel, items: list[dict[str, Any]]) -> dict[str, Any]:
    total = round(sum(item["price"] * item["quantity"] for item in items), 2)
    return {"total": total, "total_eur": round(total / PER_EURO[hotel.currency], 2), "currency": hotel.currency}
