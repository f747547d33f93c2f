"""Tables of what others are told: outgoing webhooks and exports."""

from __future__ import annotations
