"""Tables of segments: who is in them, and lists that were uploaded."""

from __future__ import annotations
