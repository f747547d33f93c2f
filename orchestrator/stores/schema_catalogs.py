"""Tables of catalogs as rows, and of forms."""

from __future__ import annotations
