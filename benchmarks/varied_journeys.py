"""A project in which no two journeys are alike: seeded, with about five distinct expressions in each journey.

`write_project(folder, journeys)` writes it: the shared files, forty-eight templates and so many journeys, each with
another trigger, other steps and other conditions.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

PROJECT = """\
brand: {name: Blue Harbour, url: "https://example.com", address: "1 Harbour Road, Lisbon"}
timezone: Europe/Lisbon
locale: en
country: PT
currency: EUR
topics:
  promotions: {class: promotional, title: Offers and news}
  care: {class: service, title: Care reminders}
  orders: {class: transactional, title: Orders and bookings}
quiet_hours: {from: "21:00", to: "08:00", classes: [promotional, service], channels: [email, sms]}
caps:
  - {max: 3, per: 7d, class: promotional}
channels:
  email: {from: "Blue Harbour <hello@example.com>"}
  sms: {signature: Blue Harbour}
queues:
  care_team: {members: [ana, li], overdue: {notify: lead@example.com}}
"""

SCHEMA = """\
customer:
  first_name: {type: string, pii: true}
  tier: {type: string, enum: [basic, gold, platinum], default: basic}
  birthday: {type: date}
  nights: {type: integer}
  spend: {type: number}
  newsletter: {type: boolean}
  interests: {type: list, of: string}
events:
  booking_created:
    booking_id: {type: string, required: true}
    hotel: {type: string, enum: [harbour, garden, tower]}
    arrival: {type: date, required: true}
    adults: {type: integer}
    total: {type: number}
  booking_changed:
    booking_id: {type: string, required: true}
    arrival: {type: date, required: true}
  booking_cancelled:
    booking_id: {type: string, required: true}
    reason: {type: string}
  checked_in:
    booking_id: {type: string, required: true}
    room: {type: string}
  checked_out:
    booking_id: {type: string, required: true}
    total: {type: number}
  cart_updated:
    cart_id: {type: string, required: true}
    items: {type: list, of: {sku: string, price: number}}
    total: {type: number}
  order_placed:
    cart_id: {type: string}
    order_id: {type: string, required: true}
    total: {type: number}
    currency: {type: string}
  product_viewed:
    sku: {type: string, required: true}
    category: {type: string}
    price: {type: number}
"""

SEGMENTS = """\
shoppers:
  title: Browsing now
  where: count('cart_updated', within='30d') > 0 and not did('order_placed', within='30d')
regulars:
  title: Often here
  where: customer.nights >= 10 or count('checked_out', within='365d') > 2
high_value:
  title: Spending much
  where: customer.spend > 2000 and customer.tier in ['gold', 'platinum']
"""

OFFERS = """\
vip10:
  title: Ten percent for our best guests
  discount: {percent: 10}
  codes: {prefix: VIP, length: 8}
  valid_for: 14d
  limits: {total: 1000, per_customer: 1}
"""

_HTML = """\
---
subject: "{{{{ customer.first_name | default('Hello') }}}}, news number {n}"
preheader: Two minutes and you know
---
<html><head><style>.a {{ color: #123456 }} .b {{ padding: {n}px }}</style></head><body>
<table><tr><td class="a"><h1>Dear {{{{ customer.first_name | default('guest') }}}}</h1></td></tr>
{{% if customer.nights and customer.nights > {n} %}}<tr><td class="b">Thank you for {{{{ customer.nights }}}}
nights.</td></tr>{{% endif %}}
<tr><td class="b"><a href="https://example.com/news/{n}?tier={{{{ customer.tier | default('basic') }}}}">Read
on</a></td></tr></table>
<p>{{% for interest in customer.interests %}}<b>{{{{ interest | upper }}}}</b> {{% endfor %}}</p></body></html>
"""
_MJML = """\
---
subject: "News number {n}"
---
<mjml><mj-body><mj-section><mj-column>
<mj-text>Dear {{{{ customer.first_name | default('guest') }}}}, this is letter {n}.</mj-text>
<mj-button href="https://example.com/letter/{n}">Read on</mj-button>
</mj-column></mj-section></mj-body></mjml>
"""
_SMS = "Blue Harbour: letter {n} for {{{{ customer.first_name | default('you') }}}}"

_HTML_TEMPLATES, _MJML_TEMPLATES, _SMS_TEMPLATES = 32, 8, 8


def write_project(folder: Path, journeys: int, seed: int = 7) -> None:
    """Writes a project of so many journeys below `folder`, always the same one for the same seed."""
    pen = _Pen(random.Random(seed))
    files = {"project.yaml": PROJECT, "schema.yaml": SCHEMA, "segments.yaml": SEGMENTS, "offers.yaml": OFFERS}
    for name, text in files.items():
        _write(folder / "journeys" / name, text)
    for n in range(_HTML_TEMPLATES):
        _write(folder / "templates" / "email" / f"html_{n}.html", _HTML.format(n=n))
    for n in range(_MJML_TEMPLATES):
        _write(folder / "templates" / "email" / f"mjml_{n}.mjml", _MJML.format(n=n))
    for n in range(_SMS_TEMPLATES):
        _write(folder / "templates" / "sms" / f"text_{n}.txt", _SMS.format(n=n))
    for n in range(journeys):
        _write(folder / "journeys" / f"area_{n % 8}" / f"journey_{n}.yaml", pen.journey(n))


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


class _Pen:
    """Writes journeys; each one takes what the dice give it."""

    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self._letter = 0

    def journey(self, n: int) -> str:
        enter, own, ends = self.dice.choice(
            [
                (self._booked, self._of_booking, "booking_cancelled"),
                (self._shopped, self._of_cart, "order_placed"),
                (self._joined, self._of_customer, "order_placed"),
                (self._idle, self._of_customer, "checked_in"),
            ]
        )
        exit_where = self._where_of_exit(ends)
        head = f"journey: journey_{n}\ntitle: Journey number {n}\nstage: {self._one('decision', 'use', 'loyalty')}\n"
        head += f"topic: {self._one('promotions', 'care')}\n{enter()}\nexit:\n  - event: {ends}\n{exit_where}"
        if self.dice.random() < 0.3:
            head += f"  - when: {self._of_customer()}\n"
        if self.dice.random() < 0.3:
            head += "goal: {event: order_placed, within: 7d, value: event.total, currency: event.currency}\n"
        blocks = [self._gate(own), self._choice(own), self._loop(), self._paid(own), self._split(n), self._asked(own)]
        self.dice.shuffle(blocks)
        body = "\n".join(self._letters() + block for block in blocks[: self.dice.randint(2, 3)])
        return head + "steps:\n" + body + "\n" + self._letters()

    # --- ways in ------------------------------------------------------------------------------------------------------

    def _booked(self) -> str:
        where = f"event.adults >= {self._few()} and event.total > {self._many()}"
        return f"enter:\n  event: booking_created\n  where: {where}\n  key: event.booking_id\n  reentry: {{after: 7d}}"

    def _shopped(self) -> str:
        where = f"event.items | length > {self._few()} and not did('order_placed', within='{self._many()}h')"
        return f"enter:\n  event: cart_updated\n  where: {where}\n  key: event.cart_id\n  reentry: {{after: 3d}}"

    def _joined(self) -> str:
        return f"enter:\n  segment: {self._one('shoppers', 'regulars', 'high_value')}\n  where: {self._of_customer()}"

    def _idle(self) -> str:
        return f"enter:\n  inactive: {{event: order_placed, for: {self._many()}d}}\n  where: {self._of_customer()}"

    def _where_of_exit(self, event: str) -> str:
        if event == "booking_cancelled":
            return f"    where: event.reason != 'r{self._many()}'\n"
        if event == "order_placed":
            return f"    where: event.total > {self._many()}\n"
        return ""

    # --- conditions ---------------------------------------------------------------------------------------------------

    def _of_booking(self) -> str:
        return self._pick(
            lambda: f"entry.total > {self._many()} and entry.hotel == '{self._one('harbour', 'garden', 'tower')}'",
            lambda: f"days_until(entry.arrival) <= {self._many()}",
            lambda: f"entry.adults + {self._few()} > {self._few()} or customer.spend / 2 > {self._many()}",
            self._of_customer,
            self._of_history,
        )

    def _of_cart(self) -> str:
        return self._pick(
            lambda: f"entry.total * 1.{self._few()} >= {self._many()}",
            lambda: f"entry.items | map(attribute='price') | max > {self._many()}",
            lambda: f"entry.items | selectattr('price', '>', {self._many()}) | length > {self._few()}",
            self._of_customer,
            self._of_history,
        )

    def _of_customer(self) -> str:
        return self._pick(
            lambda: f"customer.tier == '{self._one('gold', 'platinum')}' and customer.nights > {self._many()}",
            lambda: f"(customer.spend | default(0) | round) > {self._many()} and customer.email != none",
            lambda: f"customer.newsletter and days_since(customer.created_at) > {self._many()}",
            lambda: f"customer.country in ['PT', 'ES', 'FR'] and customer.spend + {self._few()} < {self._many()}",
            self._of_history,
        )

    def _of_history(self) -> str:
        return self._pick(
            lambda: f"count('order_placed', within='{self._many()}d') > {self._few()}",
            lambda: f"sum('order_placed', 'total', within='90d', where=it.total > {self._few()}) >= {self._many()}",
            lambda: f"did('product_viewed', within='{self._many()}h', where=it.category == 'c{self._few()}')",
            lambda: f"in_segment('regulars') and received('html_{self._few()}', within='{self._many()}d')",
        )

    # --- steps --------------------------------------------------------------------------------------------------------

    def _letters(self) -> str:
        self._letter += 1
        letter = self._pick(
            lambda: f"email: html_{self._letter % _HTML_TEMPLATES}",
            lambda: f"email: {{template: mjml_{self._letter % _MJML_TEMPLATES}, valid_for: 2d}}",
            lambda: f"sms: text_{self._letter % _SMS_TEMPLATES}",
        )
        return f"  - wait: {self._pick(self._time, self._time, lambda: self._clock())}\n  - {letter}\n"

    def _time(self) -> str:
        return f"{self.dice.randint(1, 9)}{self._one('h', 'd')}"

    def _clock(self) -> str:
        return f'{{until: "{self.dice.randint(8, 20):02}:30", on: [mon..fri]}}'

    def _gate(self, own: Callable[[], str]) -> str:
        return f"  - if: {own()}\n    then:\n      - wait: 2d\n      - email: html_1\n    else:\n      - sms: text_1\n"

    def _choice(self, own: Callable[[], str]) -> str:
        branches = "".join(f"      - when: {own()}\n        do:\n          - email: html_{n}\n" for n in range(2))
        return f"  - choose:\n{branches}    default:\n      - wait: 6h\n"

    def _loop(self) -> str:
        body = f"      while: {self._of_history()}\n      do:\n        - email: html_2\n"
        return f"  - repeat:\n      times: 3\n      every: {self._few()}d\n{body}"

    def _paid(self, own: Callable[[], str]) -> str:
        coupon = "      - coupon: {offer: vip10, as: coupon, on_exhausted: exit}\n      - email: html_3\n"
        return f"  - if: {own()}\n    then:\n{coupon}"

    def _split(self, n: int) -> str:
        return f"  - split: {{name: test_{n}, variants: {{a: [{{email: html_4}}], b: [{{wait: 1d}}, {{email: html_5}}]}}}}\n"  # noqa: E501

    def _asked(self, own: Callable[[], str]) -> str:
        wait = f"      event: product_viewed\n      where: event.price > {self._many()}\n      up_to: {self._few()}d\n"
        track = f'{{queue: care_team, title: "Call {{{{ customer.first_name }}}} about {self._many()}", due: 4h}}'
        return f"  - wait:\n{wait}    then:\n      - task: {track}\n    else:\n      - skip_if: {own()}\n        sms: text_2\n"  # noqa: E501

    # --- dice ---------------------------------------------------------------------------------------------------------

    def _pick(self, *writers: Callable[[], str]) -> str:
        return self.dice.choice(writers)()

    def _one(self, *words: str) -> str:
        return self.dice.choice(words)

    def _few(self) -> int:
        return self.dice.randint(1, 9)

    def _many(self) -> int:
        return self.dice.randint(10, 390)
