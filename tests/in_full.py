"""Whether tests run in their long form: `TEST_IN_FULL=1`, which `make test-long` and `make real` set.

Every promise has a short form in `make test`, which can fail. What is long is more of the same: every point at which a
process can be frozen where the short form takes two, every booking where it takes an eighth.
"""

from __future__ import annotations

import os
from typing import Final

import pytest

IN_FULL: Final = bool(os.environ.get("TEST_IN_FULL"))

long_form = pytest.mark.skipif(not IN_FULL, reason="its short form is run beside it; `make test-long` runs this, too")
"""A case that only the long form takes: a line of the summary says so."""
