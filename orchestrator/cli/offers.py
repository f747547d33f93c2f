"""`orchestrator offers`: how offers stand, and what shop staff do with a code by hand."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from orchestrator.cli.arguments import nearest_word, one_of
from orchestrator.cli.deploying import actor
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import UsageError

if TYPE_CHECKING:
    from orchestrator.core.ledger import Coupon
    from orchestrator.core.project import Offer
    from orchestrator.core.till import Basket
    from orchestrator.runtime.till import Answer
    from orchestrator.wiring.installation import Installation

DESCRIPTION = """Offers and their codes: `list` all, `show` one with what was given, redeemed and saved by it, its
`codes`; `find` a code, as it is typed at a desk; `redeem` it for an order, or `rollback` an order that was cancelled.
What is redeemed here is redeemed everywhere at once, and the customer's journeys hear of it; the same order again gets
the same answer. Exits 1 where a code is refused."""
EXAMPLES = """
orchestrator offers list
orchestrator offers show vip10
orchestrator offers codes vip10 --status issued --limit 20
orchestrator offers find VIP7K2M9QX
orchestrator offers redeem VIP7K2M9QX --order 4711 --total 99.90 --currency EUR
orchestrator offers rollback VIP7K2M9QX --order 4711
"""
ACTIONS = ("list", "show", "codes", "find", "redeem", "rollback")
MOST = 50
_NAMES = {"show": "an OFFER", "codes": "an OFFER", "find": "a CODE", "redeem": "a CODE", "rollback": "a CODE"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """list, show OFFER, codes OFFER, find CODE, redeem CODE, rollback CODE."""
    parser.add_argument("action", metavar="|".join(ACTIONS), type=one_of(*ACTIONS), help="what to do")
    parser.add_argument("what", metavar="OFFER|CODE", nargs="?", help="an offer's name, or a code")
    parser.add_argument("--status", metavar="S", help="codes: issued, redeemed, released or void")
    parser.add_argument("--limit", metavar="N", type=int, default=MOST, help=f"codes: so many (default: {MOST})")
    parser.add_argument("--after", metavar="CODE", default="", help="codes: those behind this one")
    parser.add_argument("--offer", metavar="O", help="of a code that several offers have")
    parser.add_argument("--order", metavar="ID", help="redeem, rollback: the order")
    parser.add_argument("--total", metavar="N", help="redeem: of the order, before the discount")
    parser.add_argument("--currency", metavar="EUR", help="redeem: of the total")
    parser.add_argument("--store", metavar="S", help="redeem: where")
    parser.add_argument("--customer", metavar="ID", help="redeem: who, where the offer asks for it")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Does it."""
    from orchestrator.wiring.installation import installation

    needed = _NAMES.get(args.action)
    if (needed is None) != (args.what is None):
        raise UsageError(f"`offers {args.action}` takes {needed or 'no other words'}", "no_name")
    if args.action in ("redeem", "rollback") and not args.order:
        raise UsageError(f"`offers {args.action}` needs --order: a redemption is known by its order", "no_order")
    if args.limit < 1:
        raise UsageError("--limit takes a number from 1", "bad_limit")
    with installation(args.project, args.database, args.broker) as place:
        place.adopt()
        does = {"list": _list, "show": _show, "codes": _codes, "find": _find, "redeem": _redeem, "rollback": _rollback}
        return does[args.action](place, args, terminal)


def _list(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    offers = [_told(place, offer) for _, offer in sorted(place.store.index.project.offers.items())]
    terminal.data({"offers": offers})
    for told in offers:
        terminal.say(f"{told['offer']:<20} {_counts(told):<44} {told['title']}")
    if not offers:
        terminal.say("no offers are deployed")
    return 0


def _show(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    told = _told(place, _offer(place, args.what))
    terminal.data(told)
    for name, value in told.items():
        if value not in (None, {}, ""):
            shown = ", ".join(f"{key} {one}" for key, one in value.items()) if isinstance(value, dict) else value
            terminal.say(f"{name:<14} {shown}")
    return 0


def _codes(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    offer = _offer(place, args.what)
    found = list(place.store.coupons_of_offer(offer.id, args.status, args.after, args.limit + 1))
    rows = [_coupon(coupon) for coupon in found[: args.limit]]
    following = rows[-1]["code"] if len(found) > args.limit else None
    terminal.data({"offer": offer.id, "codes": rows, "after": following})
    for row in rows:
        terminal.say(
            f"{row['code']:<24} {row['status']:<10} {row['customer'] or 'nobody':<24} {row['expires_at'] or ''}"
        )
    if following is not None:
        terminal.say(f"and more: --after {following}")
    return 0


def _find(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.runtime.till import look_up
    from orchestrator.wiring.installation import real_now

    answer = look_up(place.store, args.what, place.journey_now(), real_now(), args.offer)
    if answer.reason is None:
        found = place.store.redemptions_of(answer.told["offer"], answer.told["code"], "", MOST)
        orders = [{"order": r.order_id, "status": r.status, "at": r.at.isoformat(), "till": r.till} for r in found]
        owners = place.store.coupons_coded((answer.told["offer"],), (answer.told["code"],))
        customer = next((coupon.customer_id for coupon in owners if coupon.customer_id), None)
        answer = answer._replace(told={**answer.told, "customer": customer, "orders": orders})
    return _say(answer, terminal)


def _redeem(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.runtime.till import redeem
    from orchestrator.wiring.installation import real_now

    now = place.journey_now()
    answer = redeem(place.store, args.what, _basket(args), now, real_now(), args.offer)
    if answer.reason is None:
        place.store.audit(real_now(), actor(), "coupon redeem", f"{answer.told['code']} by the order {args.order}")
    return _say(answer, terminal)


def _rollback(place: Installation, args: argparse.Namespace, terminal: Terminal) -> int:
    from orchestrator.runtime.till import rollback
    from orchestrator.wiring.installation import real_now

    now = place.journey_now()
    answer = rollback(place.store, args.what, _basket(args), now, real_now(), args.offer)
    if answer.reason is None:
        place.store.audit(real_now(), actor(), "coupon rollback", f"{answer.told['code']} of the order {args.order}")
    return _say(answer, terminal)


def _basket(args: argparse.Namespace) -> Basket:
    from orchestrator.core.till import Basket

    total = None
    if args.total is not None:
        try:
            total = Decimal(args.total)
        except InvalidOperation:
            total = None
        if total is None or not total.is_finite() or not 0 <= total <= 10**12:
            raise UsageError(f"--total takes a number such as 99.90, not '{args.total[:40]}'", "bad_total")
    return Basket(args.order, total, args.currency, (), args.store, None, args.customer)


def _say(answer: Answer, terminal: Terminal) -> int:
    terminal.data(answer.told)
    for line in _lines(answer.told):
        terminal.say(line)
    return 0 if answer.reason is None else 1


def _lines(told: dict[str, Any]) -> Iterator[str]:
    if told.get("message"):
        yield f"{told['code']}: {told['message']} [{told['reason']}]"
    for name in ("offer", "title", "status", "customer", "expires_at", "locked_until", "expected", "saved", "to_pay"):
        if told.get(name) is not None and not (told.get("message") and name in ("offer", "title")):
            yield f"{name:<12} {told[name]}"
    for order in told.get("orders", ()):
        yield f"order        {order['order']}, {order['status']} at {order['at']}"


def _offer(place: Installation, name: str) -> Offer:
    offers = place.store.index.project.offers
    if name not in offers:
        near = nearest_word(name, offers)
        hint = f"did you mean {near}?" if near else "`orchestrator offers list` shows what is deployed"
        raise UsageError(f"there is no offer '{name}'; {hint}", "unknown_offer")
    return offers[name]


def _told(place: Installation, offer: Offer) -> dict[str, Any]:
    from orchestrator.core.transition import jsonable
    from orchestrator.runtime.till import money_of

    figures = place.store.offer_figures(offer.id)
    bounded = offer.imported or (offer.limits.total is not None and offer.public is None)
    told = {
        "offer": offer.id,
        "title": offer.title or offer.id,
        "discount": dict(offer.discount),
        "public": offer.public,
        "coupons": figures.coupons,
        "left": place.store.coupons_left(offer, 10**9) if bounded else None,
        "redemptions": figures.redemptions,
        "rolled_back": figures.rolled_back,
        "saved": {currency: money_of(parts) for currency, parts in figures.discounts.items() if parts},
        "valid_from": offer.valid_from,
        "valid_until": offer.valid_until,
        "conditions": {**offer.conditions, **({"minimum_spend": offer.minimum_spend} if offer.minimum_spend else {})},
    }
    plain: dict[str, Any] = jsonable(told)
    return plain


def _counts(told: dict[str, Any]) -> str:
    parts = [f"{count:,} {status}" for status, count in sorted(told["coupons"].items())]
    left = [f"{told['left']:,} left"] if told["left"] is not None else []
    return ", ".join([*parts, *left, f"{told['redemptions']:,} at tills"])


def _coupon(coupon: Coupon) -> dict[str, Any]:
    from orchestrator.core.transition import jsonable

    plain: dict[str, Any] = jsonable({
        "code": coupon.code, "status": coupon.status, "customer": coupon.customer_id or None,
        "journey": coupon.journey, "issued_at": coupon.issued_at, "expires_at": coupon.expires_at,
        "order": coupon.order_id,
    })  # fmt: skip
    return plain
