"""Where the demonstration's messages go: all of them are rendered and taken, and some of each kind become files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from orchestrator.channels.file import FileChannel
from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.core.ledger import Message
from orchestrator.demo.reactions import no_mailbox, reports
from orchestrator.runtime.delivery import MessageRenderer

OF_EACH_KIND: Final = 8
"""Files of one template in one language of one journey: tens of thousands would take longer than all the rest."""
WIDTH: Final = 250

_ACCEPTED: Final = Answer("accepted")
_BOUNCED: Final = Answer("accepted", None, ("bounce",))
_REPORTED: Final = Answer("accepted", None, ("complaint",))


class DemoOutbox:
    """A channel that takes everything, and the renderer before it, which knows of what kind a message is.

    `written` counts the files. A few addresses bounce, and a few readers complain, as the seed says.
    """

    idempotent = True
    width = WIDTH
    rate: float | None = None

    def __init__(self, folder: Path, renderer: MessageRenderer, seed: int) -> None:
        self.folder = folder
        self.written = 0
        self._files = FileChannel(folder)
        self._renderer = renderer
        self._seed = seed
        self._kinds: Counter[tuple[str, str, str, str]] = Counter()
        self._wanted: set[str] = set()

    def render(self, row: Message) -> Any:
        """The texts of a message. Of those that become no file the HTML is left out of the journal: fifteen kilobytes
        for each of them tell nothing that rendering the row again does not."""
        rendered = self._renderer.render(row)
        kind = (row.journey, row.channel, row.template, row.template_hash)
        self._kinds[kind] += 1
        if self._kinds[kind] <= OF_EACH_KIND:
            self._wanted.add(row.id)
            return rendered
        return rendered._replace(html=None)  # type: ignore[attr-defined]

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Accepted, but for mailboxes that are not there any more."""
        chosen = [message for message in messages if message.id in self._wanted]
        if chosen:
            self._files.send(chosen)
            self.written += len(chosen)
            self._wanted.difference_update(message.id for message in chosen)
        return [self._answer(message) for message in messages]

    def _answer(self, message: Outgoing) -> Answer:
        if message.channel != "email":
            return _ACCEPTED
        if no_mailbox(self._seed, message.to):
            return _BOUNCED
        return _REPORTED if reports(self._seed, message.id) else _ACCEPTED

    def close(self) -> None:
        """Close the files."""
        self._files.close()
