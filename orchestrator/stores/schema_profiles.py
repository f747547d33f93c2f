"""Tables of profiles: groups and their members, and what is worked out over all customers."""

from __future__ import annotations
