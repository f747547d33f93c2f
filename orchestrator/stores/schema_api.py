"""Tables of the API: keys, and answers that are given again."""

from __future__ import annotations
