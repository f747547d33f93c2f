"""Spans of what the engine does. Off, and free, unless the composition root sets a tracer: the extra `otel`.

    with span("turn") as said:
        ...
        said("customers", 12)

Attributes are counts and names of lanes and channels, never anything of a customer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Final

Said = Callable[[str, str | int | float | bool], None]


class _Nothing:
    """The span of a process that traces nothing."""

    def __enter__(self) -> Said:
        return _unheard

    def __exit__(self, *_: object) -> None:
        return None


def _unheard(name: str, value: str | int | float | bool) -> None:
    """Nobody listens."""


_NOTHING: Final = _Nothing()
_tracer: Any = None


def trace_with(tracer: Any) -> None:
    """From now on spans go to an OpenTelemetry tracer; None: nowhere."""
    global _tracer
    _tracer = tracer


def tracing() -> bool:
    """Whether spans go anywhere."""
    return _tracer is not None


def span(name: str, **attributes: str | int) -> AbstractContextManager[Said]:
    """A span around what is done inside; an exception marks it as failed, and goes on."""
    return _NOTHING if _tracer is None else _span(name, attributes)


@contextmanager
def _span(name: str, attributes: dict[str, str | int]) -> Iterator[Said]:
    # The exception's text may hold what a customer is called: its type has to do.
    with _tracer.start_as_current_span(
        f"orchestrator.{name}", attributes=attributes, record_exception=False, set_status_on_exception=False
    ) as found:
        try:
            yield found.set_attribute
        except BaseException as error:
            found.set_attribute("error.type", type(error).__name__)
            raise
