"""Python's collector of cycles, while much is made that stays: it looks seldom or never."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

NEVER: Final = 0
MADE_BETWEEN: Final = 100_000
"""Objects made beyond those freed, after which the collector looks at the youngest."""
YOUNG_LOOKS: Final = 50
"""Looks at the youngest objects before one at those that survived."""
MIDDLE_LOOKS: Final = 100
"""Looks at the survivors before one at everything."""


_inside = 0
"""How many of these are open."""


@contextmanager
def seldom_collected(made_between: int = MADE_BETWEEN) -> Iterator[None]:
    """Inside, a look is rare (NEVER: there is none), and never at what was there before; afterwards all is as before.

    The engine makes no cycles, and frees what it made as soon as it is done with it: with Python's own settings the
    collector would go through a simulation's hundreds of thousands of living objects again and again, for nothing.
    Loading makes many small objects and hardly any garbage: looking for it would take a third of the time. What was
    made counts as old afterwards, so that the first collection does not look through it either.
    """
    global _inside
    # One inside another leaves what was set aside to the outer one, and does not ask: Python counts by walking.
    before, frozen = gc.get_threshold(), _inside > 0 or gc.get_freeze_count() > 0
    if not frozen:  # else the program has set objects aside for good, and they stay there
        gc.freeze()
    gc.set_threshold(made_between, YOUNG_LOOKS, MIDDLE_LOOKS)
    _inside += 1
    try:
        yield
    finally:
        _inside -= 1
        gc.set_threshold(*before)
        if not frozen:
            gc.freeze()
            gc.unfreeze()
