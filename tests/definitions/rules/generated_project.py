"""Writes a sound project of many journeys, and measures lint on it.

``python tests/definitions/rules/generated_project.py [JOURNEYS]`` writes one into a temporary folder, prints how much
processor time loading and the rules take, and with ``--profile`` where it goes.
"""

from __future__ import annotations

import cProfile
import gc
import pstats
import sys
import tempfile
import time
from pathlib import Path

PROJECT = """\
brand: {name: Blue Harbour, url: "https://example.com", address: "1 Harbour Road, Lisbon"}
timezone: Europe/Lisbon
currency: EUR
topics:
  promotions: {class: promotional, title: Offers and news}
  care: {class: service, title: Care reminders}
  orders: {class: transactional, title: Orders and bookings}
quiet_hours: {from: "21:00", to: "08:00"}
caps: [{max: 3, per: 7d, class: promotional}]
channels: {email: {from: "Blue Harbour <hello@example.com>"}, sms: {signature: Blue Harbour}}
queues: {care_team: {members: [ana, li]}}
"""

SCHEMA = """\
customer:
  first_name: string
  tier: {type: string, enum: [basic, gold, platinum], default: basic}
  birthday: date
  visits: integer
events:
  cart_updated:
    cart_id: {type: string, required: true}
    items: {type: list, of: {sku: string, price: number}}
    total: number
  order_placed: {order_id: string, cart_id: string, total: number, currency: string}
  booking_confirmed: {booking_id: string, hotel_id: string, check_in: date, total: number}
  booking_changed: {booking_id: string, check_in: date}
  booking_cancelled: {booking_id: string}
"""

BASKET = """\
journey: basket_{n}
title: Abandoned basket {n}
stage: decision
topic: promotions
vars:
  valuable: entry.total >= {n}
enter:
  event: cart_updated
  where: event.items | length > 0 and not did('order_placed', within='1h')
  key: event.cart_id
  reentry: {{after: 7d}}
update:
  event: cart_updated
  where: event.cart_id == entry.cart_id
exit:
  - event: order_placed
    where: event.cart_id == entry.cart_id
  - when: customer.email == none
goal: {{event: order_placed, within: 7d, value: event.total, currency: event.currency}}
holdout: 10%
steps:
  - wait: {{until: entry.updated_at, offset: 1h}}
  - id: nudge
    send: {{first_of: [{{sms: short_{n}}}, {{email: first_{n}}}], valid_for: 24h}}
  - wait: 1d
  - split:
      name: subject_{n}
      variants:
        a:
          - email: second_{n}
        b:
          - email: {{template: second_{n}, subject: "{{{{ customer.first_name | default('Hello') }}}}, still there?"}}
  - wait: {{event: order_placed, up_to: 2d, as: order}}
    then:
      - email: {{template: thanks_{n}, topic: orders}}
    else:
      - if: valuable and customer.tier in ['gold', 'platinum']
        then:
          - coupon: {{offer: ten_{n}, as: coupon, on_exhausted: skip}}
      - if: coupon is not none
        then:
          - email: code_{n}
        else:
          - if: visits('nudge') < 3 and not opened('nudge')
            then:
              - wait: 1d
              - goto: nudge
"""

CARE = """\
journey: care_{n}
title: From the booking to the door {n}
topic: care
timezone: catalog('hotels', entry.hotel_id).timezone
enter:
  event: booking_confirmed
  key: event.booking_id
update:
  event: booking_changed
  where: event.booking_id == entry.booking_id
exit:
  event: booking_cancelled
  where: event.booking_id == entry.booking_id
  do:
    - email: {{template: thanks_{n}, topic: orders}}
steps:
  - email: {{template: thanks_{n}, topic: orders}}
  - wait: {{until: entry.check_in, offset: -7d, at: "10:00", if_past: skip_next}}
  - email: first_{n}
  - wait: {{until: entry.check_in, offset: -1d, at: "17:00", if_past: exit}}
  - fetch:
      url: https://example.com/?city={{{{ catalog('hotels', entry.hotel_id).city }}}}&date={{{{ entry.check_in }}}}
      as: weather
      timeout: 2s
      default: {{kind: unknown}}
  - choose:
      - when: weather.kind == 'rain'
        do:
          - sms: short_{n}
      - when: count('order_placed', within='30d', where=it.total > 50) >= 2
        do:
          - email: second_{n}
    default:
      - repeat: {{times: 2, every: 1d, do: [{{email: second_{n}}}]}}
  - survey: {{name: nps_{n}, kind: nps, template: second_{n}, up_to: 7d, as: answer}}
    then:
      - if: answer.score <= 6
        then:
          - task:
              queue: care_team
              title: "Call {{{{ customer.first_name | default('the guest') }}}}"
              due: 4h
              as: call
              wait: true
"""

PAGE = """\
---
subject: "{{{{ customer.first_name | default('Hello') }}}}, {what}"
---
<html><body><p>{what} {n}</p>
{{% if in_segment('loyal_{n}') %}}
<p>Thank you for {{{{ count('order_placed', within='365d') }}}} orders.</p>
{{% endif %}}
<p>{{{{ customer.tier | upper }}}}, {more}</p></body></html>
"""


def write_project(folder: Path, journeys: int) -> None:
    """A sound project of this many journeys, half baskets and half bookings, with four templates or so for each."""
    files = {
        "journeys/project.yaml": PROJECT,
        "journeys/schema.yaml": SCHEMA,
        "journeys/catalogs/hotels.csv": "id,city,timezone\nlisbon,Lisbon,Europe/Lisbon\nporto,Porto,Europe/Lisbon\n",
        "journeys/segments.yaml": "".join(_segment(n) for n in range(journeys)),
        "journeys/offers.yaml": "".join(_offer(n) for n in range(0, journeys, 2)),
    }
    for n in range(journeys):
        area, text = ("shop", BASKET) if n % 2 == 0 else ("stay", CARE)
        name = "basket" if n % 2 == 0 else "care"
        files[f"journeys/{area}/{name}_{n}.yaml"] = text.format(n=n)
        for what in ("first", "second", "thanks"):
            files[f"templates/email/{what}_{n}.html"] = PAGE.format(n=n, what=what, more="see you")
        files[f"templates/sms/short_{n}.txt"] = f"Hello from number {n}\n"
        if n % 2 == 0:
            files[f"templates/email/code_{n}.html"] = PAGE.format(n=n, what="code", more="{{ coupon.code }}")
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def _segment(n: int) -> str:
    condition = f"count('order_placed', within='{n % 300 + 1}d') >= 2 and customer.tier != 'basic'"
    return f"loyal_{n}:\n  where: {condition}\n"


def _offer(n: int) -> str:
    return f"ten_{n}:\n  discount: {{percent: 10}}\n  valid_for: 7d\n  limits: {{per_customer: 1}}\n"


def _measure(journeys: int, profile: bool) -> None:
    started = time.process_time()
    from orchestrator.definitions.lint import lint_project, run_rules
    from orchestrator.definitions.load import load_project

    print(f"importing            {time.process_time() - started:6.2f} s")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, journeys)
        started = time.process_time()
        loaded = load_project(folder)
        print(f"loading              {time.process_time() - started:6.2f} s")
        gc.disable()
        started = time.process_time()
        problems = list(run_rules(loaded))
        print(f"rules                {time.process_time() - started:6.2f} s, {len(problems)} problems")
        if profile:
            profiler = cProfile.Profile()
            profiler.runcall(lint_project, folder)
            pstats.Stats(profiler).sort_stats("cumulative").print_stats(60)


if __name__ == "__main__":
    numbers = [int(word) for word in sys.argv[1:] if word.isdigit()]
    _measure(numbers[0] if numbers else 200, "--profile" in sys.argv)
