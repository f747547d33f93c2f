"""Writes each message to a file of its own: `email/<id>.eml`, which mail programs open, and `sms/<id>.txt`.

A file is there as a whole or not at all, and a message that is written again has the same name: writing twice changes
nothing. `accepted.log` gets one line of JSON for every message before it is said to be accepted, so that somebody else
can compare what was taken with what was meant to be.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Sequence
from datetime import UTC, datetime
from hashlib import blake2b
from pathlib import Path
from typing import Final

from orchestrator.channels.mime import build_mime
from orchestrator.channels.mime_headers import MimeRefused
from orchestrator.channels.protocol import Answer, Outgoing

WIDTH: Final = 50
LOG_NAME: Final = "accepted.log"
DEFAULT_SENDER: Final = "noreply@localhost"

_usable = re.compile(r"[a-z0-9_-][a-z0-9_.-]{0,149}").fullmatch


class FileChannel:
    """Messages below a folder, which is made when the first one comes. `fsync`: also survive a loss of power.

    Safe for several threads, and for several processes on one folder.
    """

    idempotent = True
    width = WIDTH

    def __init__(
        self, folder: Path, *, default_sender: str = DEFAULT_SENDER, fsync: bool = False, rate: float | None = None
    ) -> None:
        self.folder = folder
        self.rate = rate
        self._default_sender = default_sender
        self._fsync = fsync
        self._made: set[str] = set()
        self._lock = threading.Lock()

    def send(self, messages: Sequence[Outgoing]) -> Sequence[Answer]:
        """Write them, then their lines of the log. What cannot be written is refused for now."""
        answers: list[Answer] = []
        lines: list[str] = []
        for message in messages:
            try:
                name = self._write(message)
            except MimeRefused as error:
                answers.append(Answer("rejected" if error.for_good else "retry", str(error)))
                continue
            except OSError as error:
                answers.append(Answer("retry", f"{self.folder} cannot be written: {error}", down=True))
                continue
            lines.append(_log_line(message, name))
            answers.append(Answer("accepted", reference=name))
        try:
            self._append(lines)
        except OSError as error:
            refused = Answer("retry", f"{self.folder / LOG_NAME} cannot be written: {error}", down=True)
            return [refused if answer.outcome == "accepted" else answer for answer in answers]
        return answers

    def close(self) -> None:
        """There is nothing to give back."""

    def _write(self, out: Outgoing) -> str:
        if out.channel == "email":
            suffix, data = ".eml", build_mime(out, self._default_sender, datetime.now(UTC)).data
        else:
            suffix, data = ".txt", _as_text(out).encode("utf-8", "replace")
        kind = file_name(out.channel)
        if kind not in self._made:
            (self.folder / kind).mkdir(parents=True, exist_ok=True)
            self._made.add(kind)
        name = f"{kind}/{file_name(out.id)}{suffix}"
        place = os.path.join(self.folder, name)
        unfinished = f"{place}.{os.getpid()}-{threading.get_ident()}.tmp"
        try:
            with open(unfinished, "wb") as file:
                file.write(data)
                if self._fsync:
                    file.flush()
                    os.fsync(file.fileno())
            os.replace(unfinished, place)
        except FileNotFoundError:
            self._made.discard(kind)  # somebody removed the folder: it is made anew for the next one
            raise
        except OSError:
            if os.path.exists(unfinished):
                os.unlink(unfinished)
            raise
        return name

    def _append(self, lines: Sequence[str]) -> None:
        """All lines in one write, which other writers do not interrupt."""
        if not lines:
            return
        data = "".join(lines).encode()
        with self._lock:
            log = os.open(self.folder / LOG_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
            try:
                while data:
                    data = data[os.write(log, data) :]
                if self._fsync:
                    os.fsync(log)
            finally:
                os.close(log)


def file_name(id: str) -> str:
    """A name that every file system takes, and that no two ids share."""
    if _usable(id):
        return id
    readable = re.sub(r"[^a-z0-9_-]+", "-", id.lower()[:80]).strip("-")
    return f"{readable or 'message'}-{blake2b(id.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def _as_text(out: Outgoing) -> str:
    head = [f"To: {out.to}"]
    if out.sender:
        head.append(f"From: {out.sender}")
    if out.at is not None:
        head.append(f"Date: {out.at.astimezone(UTC).isoformat()}")
    if out.subject:
        head.append(f"Subject: {out.subject}")
    return "\n".join([" ".join(line.split()) for line in head]) + f"\n\n{out.text}\n"


def _log_line(out: Outgoing, name: str) -> str:
    entry = {
        "at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        "id": out.id,
        "channel": out.channel,
        "to": out.to,
        "file": name,
    }
    return json.dumps(entry) + "\n"
