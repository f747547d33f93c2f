"""A shop that runs as a process of its own, with a client that never loses an order and a checker of all books."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.chaos.checking import Verdict, check
from tests.chaos.feeding import Client
from tests.chaos.launch import NEVER, Blow
from tests.chaos.mailbox import Mailbox, free_port, mail_server
from tests.chaos.process import Place, UpProcess
from tests.chaos.shop import OFFER_AFTER, write_shop


@dataclass
class LiveShop:
    """`up` starts the process, `client` places orders, `close_books` waits for the end of everything and compares."""

    place: Place
    mailbox: Mailbox
    client: Client
    stack: ExitStack
    processes: list[UpProcess] = field(default_factory=list)

    def start(self, blow: Blow = NEVER, place: Place | None = None) -> UpProcess:
        """One more process, which may already answer or be dead when this returns."""
        self.processes.append(UpProcess(place or self.place, blow))
        self.processes[-1].wait_ready()
        return self.processes[-1]

    def open_mailbox(self) -> None:
        """From now on somebody listens where mail goes."""
        self.stack.enter_context(mail_server(self.mailbox, self.place.mail_port))

    def settle(self, up: UpProcess) -> None:
        """No more orders; wait until nothing waits any more."""
        self.client.stop()
        self.client.join(60)
        assert not self.client.is_alive()
        time.sleep(OFFER_AFTER)
        up.wait_drained()

    def check(self) -> Verdict:
        """What the books say, once nothing runs any more."""
        return check(self.place.database, self.client.placed, self.client.cancelled, self.mailbox.accepted)


@pytest.fixture
def live_shop(tmp_path: Path) -> Iterator[Callable[..., LiveShop]]:
    """Makes shops; nothing of them is left afterwards."""
    made: list[LiveShop] = []
    with ExitStack() as stack:

        def make(rate: float = 30.0, mail: bool = True) -> LiveShop:
            place = Place(write_shop(tmp_path / "shop"), tmp_path / "shop.db", free_port(), free_port())
            made.append(LiveShop(place, Mailbox(), Client(place.port, rate, seed=1), stack))
            if mail:
                made[-1].open_mailbox()
            return made[-1]

        yield make
        for shop in made:
            shop.client.stop()
            for up in shop.processes:
                up.kill()
