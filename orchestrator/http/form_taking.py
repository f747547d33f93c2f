"""What becomes of a form: the person is known by the address, choices stand in the consent ledger with what was shown,
and an event tells journeys. All of it in one transaction, once.

Whoever posts a form says that an address is theirs, and shows nothing. So a form writes to a customer of its own, named
by a keyed hash of the address: nobody can change the profile of somebody else by typing in an address, nor learn from
the answer whether it is known. Where the project says `identity: {merge: [..., email]}`, the two become one by the
rules of docs/identity.md, by which what is known stays and gaps are filled. A link of ours that names the customer
writes to that customer.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import blake2b
from ipaddress import IPv4Address, ip_address
from typing import Any, Final
from urllib.parse import urlsplit

from orchestrator.core.addresses import stored_address
from orchestrator.core.forms import Form, said
from orchestrator.core.inbox import ConsentChanged, Identified
from orchestrator.core.links import opened
from orchestrator.core.links import token as signed
from orchestrator.core.state import dumps
from orchestrator.http.form_reading import Reading
from orchestrator.http.service import Service
from orchestrator.runtime.ingest import Incoming, Told, ingest_once

PREFIX: Final = "form:"
"""Begins the ids of customers who are known by a form only."""
SAME_FOR: Final = timedelta(minutes=10)
"""The same answers again within this time are one post, where the page gave no number of its own."""
LINK_GOOD_FOR: Final = timedelta(days=90)
LONGEST_URL: Final = 500
_PURPOSE: Final = "form"


def take_form(
    service: Service,
    form: Form,
    reading: Reading,
    locale: str,
    customer: str | None,
    once: str,
    proof: Mapping[str, Any],
) -> bool:
    """Take a form that was filled in. `customer`: whom a signed link names; `once`: what tells one rendering of the
    page from another. False: the tracking plan does not let it in."""
    traits = {one.attribute: reading.values[one.name] for one in form.fields
              if one.attribute is not None and one.name in reading.values}  # fmt: skip
    who = customer or known_by(service, traits)
    told = {"form": form.name, "locale": locale, "url": proof.get("url")}
    properties = {one.name: reading.values[one.name] for one in form.fields
                  if one.attribute is None and one.name in reading.values}  # fmt: skip
    properties |= {name: value for name, value in told.items() if name in form.told and value is not None}
    choices = [(box.topic, channel, said(box.wording, locale)) for box in reading.ticked for channel in box.channels]
    content = dumps([form.name, who, once or _while(service.real_now()), reading.values, choices])
    id = f"form-{blake2b(content.encode('utf-8', 'surrogatepass'), digest_size=12).hexdigest()}"
    if customer is None:
        traits.setdefault("locale", locale)
    items: list[Any] = [Told(who, Identified(traits), f"{id}-i")]
    items += [
        Told(who, ConsentChanged(topic, channel, "in", "form", wording, {"form": form.name, **proof}), f"{id}-c{n}")
        for n, (topic, channel, wording) in enumerate(choices)
    ]
    items.append(Incoming(who, form.event, properties, None, id))
    with service.arrival() as now:
        counts = ingest_once(service.store, items, now)
    service.count({"ingest:accepted": counts.accepted, "ingest:refused": len(counts.refused)})
    service.nudge(counts.shards)
    return not counts.refused


def known_by(service: Service, traits: Mapping[str, Any]) -> str:
    """The id of whoever gives these addresses: the same for the same mailbox, and nothing that can be guessed."""
    country = service.store.index.project.country
    for channel, name in (("email", "email"), ("sms", "phone")):
        address = stored_address(channel, str(traits.get(name) or ""), country)
        if address is not None:
            key = blake2b(b"forms\n" + service.secret, digest_size=32).digest()
            text = f"{name}\n{address.normal}".encode("utf-8", "surrogatepass")
            return PREFIX + blake2b(text, digest_size=12, key=key).hexdigest()
    raise ValueError("a form without an address")  # the form's reading asked for one


def form_link(service: Service, form: str, customer: str, real_at: datetime) -> str:
    """The address of a form that is filled in with what is known of a customer, and writes to that customer."""
    day = (real_at + LINK_GOOD_FOR).date().toordinal()
    return (
        f"{service.base_url}/f/{form}?t={signed(service.secret, _PURPOSE, f'{day}~{form}~{customer.encode().hex()}')}"
    )


def named_by(service: Service, form: str, token: str | None) -> str | None:
    """The customer whom a signed link of this form names; None: it is no good one, or too old."""
    held = opened(service.secret, _PURPOSE, token) if token and len(token) < 2_500 else None
    day, _, rest = (held or "").partition("~")
    name, _, customer = rest.partition("~")
    if not day.isdigit() or name != form or int(day) < service.real_now().date().toordinal():
        return None
    try:
        return bytes.fromhex(customer).decode()
    except ValueError:
        return None


def shortened(ip: str | None) -> str | None:
    """An address of the net without its last part: enough to tell a country, too little to tell a person."""
    try:
        address = ip_address(ip or "")
    except ValueError:
        return None
    kept = 24 if isinstance(address, IPv4Address) else 48
    packed = int(address) >> (address.max_prefixlen - kept) << (address.max_prefixlen - kept)
    return str(type(address)(packed))


def shown_url(given: object) -> str | None:
    """The page on which a form stood, without its query, which may name people."""
    if not isinstance(given, str) or len(given) > 4 * LONGEST_URL or not given.isprintable():
        return None
    try:
        parts = urlsplit(given)
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        return None
    return f"{parts.scheme}://{parts.netloc}{parts.path}"[:LONGEST_URL]


def _while(at: datetime) -> str:
    return str(int(at.timestamp() // SAME_FOR.total_seconds()))
