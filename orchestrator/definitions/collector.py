"""Python's garbage collector while a project is read."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def collector_at_rest() -> Iterator[None]:
    """Loading makes many small objects and hardly any garbage: looking for it takes a third of the time.

    Afterwards all of them count as old, so that the first collection does not look through them either.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            if gc.get_freeze_count() == 0:  # else the program has set objects aside for good, and they stay there
                gc.freeze()
                gc.unfreeze()
            gc.enable()
