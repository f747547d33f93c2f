"""A large table read by two processes: each maps every other row, and what the second one found comes back here.

Reading a row costs a fifth of mapping it, so both read the whole file. Whatever goes wrong in the second process, its
rows are mapped in this one.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

LEAST_BYTES: Final = 512 << 10
"""Size of a packed table from which a second process pays; of a plain one eight times as much."""
_FORK: Final = get_context("fork")
"""So that the mapping is there without being sent."""

Found = Any
"""What one process made of its rows; pickled on its way."""


def may_divide(path: Path, packed: bool) -> bool:
    """Whether a second process is worth it, and possible on this machine."""
    if sys.platform != "linux" or threading.active_count() > 1 or len(os.sched_getaffinity(0)) < 2:
        return False
    return path.stat().st_size >= (LEAST_BYTES if packed else 8 * LEAST_BYTES)


@contextmanager
def second_process(make: Callable[[], Found]) -> Iterator[Callable[[], Found]]:
    """Run `make` in a second process while the body runs in this one; what it yields waits for the result.

    Where the second process fails, `make` runs in this one. Nothing is left behind, whatever the body raises.
    """
    try:
        reader, writer = _FORK.Pipe(duplex=False)
        process = _FORK.Process(target=_send, args=(make, writer), daemon=True)
        process.start()
        writer.close()
    except OSError:  # no memory or no room for another process
        yield make
        return

    def found() -> Found:
        with suppress(EOFError, OSError):
            return pickle.loads(reader.recv_bytes())
        return make()

    try:
        yield found
    finally:
        process.kill()
        process.join()
        reader.close()


def _send(make: Callable[[], Found], writer: Connection) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the other process ends this one
    gc.disable()  # it lives for seconds, and makes no cycles
    with suppress(Exception):  # whatever it is, it happens again in the process that reads, where it is seen
        writer.send_bytes(pickle.dumps(make(), pickle.HIGHEST_PROTOCOL))
    writer.close()
