"""The sources that the settings name, as the HTTP side finds them."""

from __future__ import annotations

from typing import Any

from orchestrator.runtime.sources.protocol import Source
from orchestrator.runtime.sources.registry import sources_of


class SourceDoor:
    """The sources by name, as in /v1/sources/NAME."""

    def __init__(self, setting: str | None) -> None:
        self._sources: dict[str, Source] = sources_of(setting)

    def source(self, name: str) -> Source | None:
        """A source; None: it is not configured."""
        return self._sources.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """Those that are configured."""
        return tuple(self._sources)


def door_of(settings: Any) -> SourceDoor:
    """The sources of an installation. Raises UsageError."""
    secret = settings.sources if settings is not None else None
    return SourceDoor(secret.get_secret_value() if secret is not None else None)


def refuse_bad_sources(settings: Any) -> None:
    """Raises UsageError for a setting that cannot be used, before anything else was begun."""
    if settings.sources is not None:
        door_of(settings)
