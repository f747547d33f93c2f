"""What a provider is told beside a message's texts: the values of a structured template, and whom a push goes to."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from orchestrator.core.claim import Claimed
from orchestrator.core.devices import named
from orchestrator.templating.structured import nested

DEVICES: Final = "devices"
"""Where an adapter of push finds the devices, as `core.devices.Device.as_data` writes them."""


def provider_fields(claimed: Claimed, fields: Sequence[tuple[str, str]]) -> Mapping[str, Any]:
    """The rendered fields with their lists and mappings; of a push message the devices, too.

    The row of a push message names devices by their references, so that every try goes to the same ones; their tokens
    are the profile's, and a device that was taken out of it since gets nothing.
    """
    row = claimed.row
    found = nested(dict(fields))
    if row.channel == "push":
        found[DEVICES] = [device.as_data() for device in named(claimed.customer.attributes, row.to)]
    return found
