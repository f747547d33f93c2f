"""Python's collector of cycles during a long run: it looks seldom, and never at what was there before the run."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

MADE_BETWEEN = 100_000
"""Objects made beyond those freed, after which the collector looks at the youngest."""
YOUNG_LOOKS = 50
"""Looks at the youngest objects before one at those that survived."""
MIDDLE_LOOKS = 100
"""Looks at the survivors before one at everything."""


@contextmanager
def seldom_collected() -> Iterator[None]:
    """Inside, a look is rare; afterwards all is as before.

    The engine makes no cycles, and frees what it made as soon as it is done with it. With Python's own settings the
    collector would go through a simulation's hundreds of thousands of living objects again and again, for nothing.
    """
    before, frozen = gc.get_threshold(), gc.get_freeze_count() > 0
    if not frozen:  # else the program has set objects aside for good, and they stay there
        gc.freeze()
    gc.set_threshold(MADE_BETWEEN, YOUNG_LOOKS, MIDDLE_LOOKS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        if not frozen:
            gc.unfreeze()
