"""The URL of a stream, as `orchestrator consume` takes it:

kafka://[USER:PASSWORD@]HOST[:PORT][,HOST...]/TOPIC[?group=NAME&tls=yes&LIBRDKAFKA.OPTION=VALUE]
redis://[USER:PASSWORD@]HOST[:PORT]/DB/KEY[?group=NAME&consumer=NAME] (rediss:// with TLS)
"""

from __future__ import annotations

import os
import re
import socket
from typing import Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit

from orchestrator.errors import UsageError
from orchestrator.sources.protocol import Stream

SCHEMES: Final = ("kafka", "redis", "rediss")
GROUP: Final = "orchestrator"
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,200}")


def stream_at(url: str) -> Stream:
    """The stream at a URL. Raises UsageError, which never shows a password."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise UsageError(f"the stream's URL cannot be read ({error})", "bad_stream") from None
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    group = options.pop("group", GROUP)
    if parts.scheme == "kafka":
        return _kafka(parts, group, options)
    if parts.scheme in ("redis", "rediss"):
        return _redis(parts, group, options)
    raise UsageError(
        f"a stream's URL begins with kafka://, redis:// or rediss://, not '{parts.scheme[:20]}'", "bad_stream"
    )


def _kafka(parts: Any, group: str, options: dict[str, str]) -> Stream:
    from orchestrator.sources.kafka import KafkaStream

    topic = unquote(parts.path.strip("/"))
    login, _, servers = parts.netloc.rpartition("@")
    if _NAME.fullmatch(topic) is None or not servers:
        raise UsageError("the URL names no topic; write kafka://host:9092/topic?group=name", "bad_stream")
    given: dict[str, Any] = {}
    tls = options.pop("tls", "no") == "yes"
    if login:
        user, _, password = login.partition(":")
        given |= {"sasl.username": unquote(user), "sasl.password": unquote(password), "sasl.mechanism": "PLAIN"}
    if tls or login:
        given["security.protocol"] = f"{'sasl_' if login else ''}{'ssl' if tls else 'plaintext'}"
    for name in options:
        if "." not in name:
            raise UsageError(f"the stream's URL has no option '{name[:40]}'; possible are group, tls and "
                             "librdkafka's own, which have points in their names", "bad_stream")  # fmt: skip
    return KafkaStream(servers, topic, group, {**given, **options})


def _redis(parts: Any, group: str, options: dict[str, str]) -> Stream:
    from orchestrator.sources.redis_streams import IDLE_MS, RedisStream

    database, _, key = parts.path.strip("/").partition("/")
    key = unquote(key)
    if not database.isdigit() or not key or not parts.hostname:
        raise UsageError("the URL names no stream; write redis://host:6379/0/key?group=name", "bad_stream")
    consumer = options.pop("consumer", f"{socket.gethostname()}-{os.getpid()}")
    idle = options.pop("idle_ms", str(IDLE_MS))
    if options or not idle.isdigit():
        wrong = next(iter(options), "idle_ms")
        raise UsageError(
            f"the stream's URL cannot have '{wrong[:40]}'; possible are group, consumer, idle_ms", "bad_stream"
        )
    return RedisStream(f"{parts.scheme}://{parts.netloc}/{database}", key, group, consumer, int(idle))
