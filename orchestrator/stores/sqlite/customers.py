"""Customers' records from their rows."""

from __future__ import annotations

import json

from orchestrator.core.customer import Customer
from orchestrator.core.state import from_json


def customer_of(state: str, consents: str | None) -> Customer:
    """The record with its consents, which stand in a row of their own."""
    customer = from_json(Customer, state)
    if consents is not None:
        customer.consents = {(topic, channel): choice for topic, channel, choice in json.loads(consents)}
    return customer
