"""What APIs share that take a mail as JSON, with one key in the headers of each request."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from orchestrator.channels.providers.adapter import WIDTH, Call, ProviderChannel
from orchestrator.channels.providers.wire import ProviderWire


class JsonMailChannel(ProviderChannel):
    """Mail through one account. `base`: where the API is; `default_sender`: where a message names none."""

    SEND: ClassVar[str]
    """Path that takes messages."""
    LOOK: ClassVar[str]
    """Path that anybody with a good key may read."""

    def __init__(
        self,
        wire: ProviderWire,
        key: str,
        base: str,
        *,
        default_sender: str | None = None,
        width: int = WIDTH,
        rate: float | None = None,
    ) -> None:
        super().__init__(wire, width, rate)
        self._headers = {"Content-Type": "application/json", **self.proof(key)}
        self._base = base
        self._url = f"{base}{self.SEND}"
        self._default_sender = default_sender

    def proof(self, key: str) -> Mapping[str, str]:
        """The headers that say who we are."""
        return {"Authorization": f"Bearer {key}"}

    def look(self) -> Call:
        """See ProviderChannel."""
        return Call("GET", f"{self._base}{self.LOOK}", self._headers)
