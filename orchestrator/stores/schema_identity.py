"""Tables of identity: merges that wait, and those that were done."""

from __future__ import annotations
