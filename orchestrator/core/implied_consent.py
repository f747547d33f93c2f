"""Consent that a law takes as given for a time: by a purchase, or by an inquiry, counted from the day of it.

It opens what nobody has chosen or what has ended, and moves an end that is nearer; it never opens what is out, ends
nothing that has no end, and asks nobody who has to confirm. It holds where every sign of the customer's country (the
profile's, the phone number's) is of the law's: whoever does not know must not write.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from orchestrator.core.consent import IMPLIED
from orchestrator.core.customer import Customer
from orchestrator.core.inbox import ConsentChanged, Event
from orchestrator.core.profile import Moved, set_consent
from orchestrator.core.project import ImpliedConsent
from orchestrator.core.time.country_names import country_code
from orchestrator.core.time.zone_in_force import country_of_phone

if TYPE_CHECKING:
    from orchestrator.core.turn import CustomerTurn


def imply_consents(turn: CustomerTurn, event: Event, rules: Iterable[ImpliedConsent]) -> Moved:
    """What an event implies, noted in the ledger with the event as its proof. Returns what changed."""
    moved: Moved = []
    countries = _countries(turn.customer)
    for rule in rules:
        if not countries or not countries <= rule.countries:
            continue
        ends_at = rule.lasts.after(event.at, turn.zone(None).zone)
        if ends_at <= turn.t:
            continue
        proof = {"event": event.name, "id": event.id, "pack": rule.pack, "given_by": rule.given_by}
        for place in rule.places:
            held = turn.customer.consents.get(place)
            if held not in (None, "in", "expired"):
                continue
            known = turn.customer.consent_dates.get(place)
            if held == "in" and (known is None or known >= ends_at):
                continue
            choice = ConsentChanged(*place, "in", IMPLIED, None, proof, ends_at, event.at)
            lives_on = held == "in" and known is not None and known > turn.t
            set_consent(turn, choice, moved, silent=lives_on)
    return moved


def _countries(customer: Customer) -> frozenset[str]:
    """Where the customer may be, as far as anything tells. A country that nobody knows is none of the law's."""
    told = [country_code(customer.country) or customer.country if customer.country else None]
    if customer.phone:
        told.append(country_of_phone(customer.phone))
    return frozenset(country for country in told if country)
