"""A group of messages over connections that are open: one thread has all of them on their way, and none waits for
another's answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from io import BufferedReader
from pathlib import Path

import pytest

from orchestrator.channels.configured import channel_of
from orchestrator.channels.protocol import Channel, Outgoing
from tests.channels.contract import outgoing
from tests.channels.mail_server import HOST, MailServer, mail_server

NAMES = ("ana", "ben", "cho", "dev")


def group(first: str = "") -> list[Outgoing]:
    return [outgoing(f"{first}{name}.s.1", to=f"{name}@example.com") for name in NAMES]


@contextmanager
def opened(server: MailServer, seconds: float) -> Iterator[Channel]:
    """A channel whose connections are open, and have carried a message each."""
    channel = channel_of(f"smtp://127.0.0.1:{server.port}?width=4&timeout={seconds}", base_dir=Path())
    server.pause = 0.1  # so that none of them goes over the connection of another
    assert {answer.outcome for answer in channel.send(group("first-"))} == {"accepted"}
    assert len(server.sessions) == 4
    server.pause = 0.0
    yield channel
    channel.close()


@pytest.mark.parametrize("offers", [(), ("PIPELINING",)])
@pytest.mark.parametrize(
    ("where", "what", "outcome", "place"),
    [
        ("RCPT", "hang", "retry", 0),
        ("RCPT", "hang", "retry", 3),
        ("DATA", "hang", "unknown", 0),
        ("RCPT", "550 5.1.1 nobody", "rejected", 3),
    ],
)
def test_whoever_is_not_answered_holds_up_nobody(
    offers: tuple[str, ...], where: str, what: str, outcome: str, place: int
) -> None:
    with mail_server() as server:
        server.offers = offers
        with opened(server, 0.7) as channel:
            server.replies[f"{where} {NAMES[place]}@example.com"] = what
            outcomes = [answer.outcome for answer in channel.send(group())]
            assert outcomes == [outcome if n == place else "accepted" for n in range(4)]
            assert len(server.sessions) == 4, "no connection was made for them"
            server.replies.clear()
            assert {answer.outcome for answer in channel.send(group("last-"))} == {"accepted"}


def test_connections_that_were_closed_meanwhile_are_made_anew_for_all() -> None:
    with mail_server() as server, opened(server, 5.0) as channel:
        server.replies["MAIL"] = "421 4.3.2 enough"
        outcomes = {answer.outcome for answer in channel.send(group())}
        assert outcomes == {"retry"}, "a server that lets nobody in is told from one that ends a connection"
        server.replies.clear()
        assert [answer.outcome for answer in channel.send(group("again-"))] == ["accepted"] * 4
        assert len(server.ids) == len(set(server.ids)) == 8


def test_a_message_that_is_stuck_sends_the_others_back_before_they_are_on_the_wire() -> None:
    listener = socket.create_server((HOST, 0))
    listener.settimeout(10)

    def talk(connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as lines, suppress(ConnectionError):
            answer(connection, lines)

    def answer(connection: socket.socket, lines: BufferedReader) -> None:
        connection.sendall(b"220 mail.test\r\n")
        to = b""
        while line := lines.readline():
            word = line[:4].upper()
            to = line if word == b"RCPT" else to
            if word == b"EHLO":
                connection.sendall(b"250-mail.test\r\n250 SIZE 99000000\r\n")
            elif word == b"RCPT" and b"small" in to:
                time.sleep(0.2)  # the large one is on the wire by then
                connection.sendall(b"250 2.1.5 ok\r\n")
            elif word == b"DATA":
                connection.sendall(b"354 go\r\n")
                if b"large" in to:
                    time.sleep(2)
                while lines.readline() != b".\r\n":
                    pass
                connection.sendall(b"250 2.0.0 ok\r\n")
            else:
                time.sleep(0.1)  # so that the other message goes over a connection of its own
                connection.sendall(b"250 2.1.0 ok\r\n")

    def serve() -> None:
        for _ in range(2):
            connection, _ = listener.accept()
            threading.Thread(target=talk, args=(connection,), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    port = listener.getsockname()[1]
    channel = channel_of(f"smtp://127.0.0.1:{port}?width=2&timeout=9", base_dir=Path())
    both = [outgoing(f"{name}.s.1", to=f"{name}@example.com") for name in ("a", "b")]
    assert [answer.outcome for answer in channel.send(both)] == ["accepted"] * 2
    time.sleep(0.1)
    large = outgoing("large.s.1", to="large@example.com", text="x" * 70 + "\n" + "y " * 9_000_000)
    small = outgoing("small.s.1", to="small@example.com")
    answers = channel.send([large, small])
    channel.close()
    listener.close()
    assert [(answer.outcome, answer.after) for answer in answers] == [("accepted", None), ("retry", 1.0)]
