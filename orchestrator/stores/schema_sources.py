"""Tables of sources: what came and does not fit the tracking plan, and how far streams were read."""

from __future__ import annotations
