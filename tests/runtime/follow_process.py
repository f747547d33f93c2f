"""A process that tells webhooks, and is killed after its receiver took a batch, before it could write that down.

python -m tests.runtime.follow_process URL|FILE RECEIVER
"""

from __future__ import annotations

import os
import signal
import sys
from typing import Any

from orchestrator.channels.http_caller import HttpCaller
from orchestrator.runtime.following import follow_once
from orchestrator.runtime.webhook_batches import Receiver
from tests.runtime.webhook_project import index_for
from tests.stores.driving import START
from tests.stores.till_process import opened


class Killed:
    """Calls, and is no more."""

    def call(self, request: Any) -> Any:
        """Does not return."""
        status, _, error = HttpCaller(["127.0.0.1"]).call(request)
        print(status, error, flush=True)
        os.kill(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    store = opened(sys.argv[1])
    store.adopt(index_for(batch=3))
    follow_once(store, lambda webhook: Receiver(sys.argv[2], Killed()), lambda: START)
