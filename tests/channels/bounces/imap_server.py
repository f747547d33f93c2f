"""A small IMAP server for tests: one folder, the commands that a reader of bounces gives, and flags."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ImapServer:
    """`mails` by UID; `flags` by UID; `moved` by folder. `refuses`: commands that are answered with NO."""

    def __init__(self, *mails: bytes, moves: bool = True) -> None:
        self.mails = dict(enumerate(mails, 1))
        self.flags: dict[int, set[str]] = {uid: set() for uid in self.mails}
        self.moved: dict[str, list[int]] = {}
        self.moves = moves
        self.refuses: set[str] = set()
        self.port = 0
        self.logins: list[str] = []

    def answer(self, tag: str, line: str) -> bytes:
        """What the server says to a line."""
        word, _, rest = line.partition(" ")
        command = rest.partition(" ")[0].upper() if word.upper() == "UID" else word.upper()
        if command in self.refuses:
            return f"{tag} NO not now\r\n".encode()
        out = b""
        if command == "CAPABILITY":
            out = f"* CAPABILITY IMAP4rev1{' MOVE' if self.moves else ''}\r\n".encode()
        elif command == "LOGIN":
            self.logins.append(rest)
            if "wrong" in rest:
                return f"{tag} NO [AUTHENTICATIONFAILED] wrong password\r\n".encode()
        elif command == "SELECT":
            out = f"* {len(self.mails)} EXISTS\r\n* OK [UIDVALIDITY 1]\r\n".encode()
        elif command == "SEARCH":
            found = [str(uid) for uid in self.mails if "\\Seen" not in self.flags[uid]]
            out = f"* SEARCH {' '.join(found)}\r\n".encode()
        elif command == "LOGOUT":
            out = b"* BYE\r\n"
        elif command in ("FETCH", "STORE", "MOVE", "COPY"):
            out = self._about(command, rest.split(" ", 2))
        return out + f"{tag} OK done\r\n".encode()

    def _about(self, command: str, words: list[str]) -> bytes:
        uid = int(words[1])
        if command == "FETCH":
            data = self.mails[uid]
            return f"* 1 FETCH (UID {uid} BODY[]<0> {{{len(data)}}}\r\n".encode() + data + b")\r\n"
        if command == "STORE":
            self.flags[uid] |= set(re.findall(r"\\\w+", words[2]))
            return b""
        self.moved.setdefault(words[2].strip('"'), []).append(uid)
        if command == "MOVE":
            del self.mails[uid]
        return b""


@contextmanager
def serving(server: ImapServer) -> Iterator[ImapServer]:
    """It listens on a free port of the loopback interface."""

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"* OK ready\r\n")
            for raw in self.rfile:
                tag, _, line = raw.decode().strip().partition(" ")
                self.wfile.write(server.answer(tag, line))

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as listening:
        listening.daemon_threads = True
        server.port = listening.server_address[1]
        thread = threading.Thread(target=listening.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield server
        finally:
            listening.shutdown()
            thread.join(5)
