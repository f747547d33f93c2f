"""Tables of offers at the till: codes that are locked."""

from __future__ import annotations
