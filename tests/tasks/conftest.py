"""What is left out of an ordinary run: a RabbitMQ node takes longer to start than all that it shows."""

from __future__ import annotations

import os

collect_ignore = [] if os.environ.get("TEST_RABBITMQ") else ["test_rabbitmq.py"]
