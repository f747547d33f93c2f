"""Runs what a page of the documents shows, and compares it with what the page says. `tests/test_docs.py` calls it.

One convention, for README.md and every page below docs/:

- A fenced block ``yaml file=journeys/x.yaml`` (or ``html file=...``, any language) is written to that file. With the
  word ``alone`` behind it the files of earlier blocks with that word are taken away first: one example at a time.
- A fenced block ``console`` is run. Lines that start with ``$ `` are commands, the lines below one are what it prints
  (both streams together). ``...`` stands for anything inside a line, and on a line of its own for any number of lines;
  a command under which nothing is shown may print what it likes. Every command has to end with status 0, unless the
  next one is ``$ echo $?``, which shows what it ended with.
- ``console background``: its one command goes on while the page does, until the next such block or the page's end. It
  has to print what is shown before the page goes on; meanwhile other commands are tried again until they print what is
  shown, for a while. Port 8000, where
  `up` answers, is a free one when the page is run.
- ``console needs=curl``: left out where there is neither a program nor a Python module of that name.
- A comment ``<!-- with the project of authoring.md -->`` begins a page with that page's
  files, those with ``alone`` left out.
- A fenced block ``yaml`` must parse. All other blocks are only read by people.

The blocks of a page are taken in order, in one folder of the page's own. `orchestrator` runs in this very process
where it can, which is ten times as fast; `up`, `demo` and whatever a shell is needed for run in one.

When output has changed for good, `python -m tests.doc_pages docs/authoring/waits.md ...` writes the new one into pages.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.doc_blocks import Block, Command, agrees, blocks_of, commands_of
from tests.doc_shell import ROOT, Shell

PAGES = [
    ROOT / "README.md",
    ROOT / "CONTRIBUTING.md",
    ROOT / "orchestrator" / "README.md",
    *sorted(ROOT.glob("docs/**/*.md")),
]
PATIENCE_SECONDS = 20
"""For what runs in the background to print, and for others to see what it did."""
SHOWN_PORT = "8000"
_PROJECT_OF = re.compile(r"^<!-- with the project of (\S+) -->$", re.MULTILINE)


class Differs(AssertionError):
    """A command did not end, or print, as its page says."""

    def __init__(self, message: str, command: Command, printed: list[str]) -> None:
        super().__init__(message)
        self.command = command
        self.printed = printed


def starts_servers(page: Path) -> bool:
    """Whether running a page takes seconds: it leaves something running, or calls other programs of Python."""
    return any(
        block.language == "console" and ("background" in block.words or "$ python " in block.text)
        for block in blocks_of(page.read_text(encoding="utf-8"))
    )


@dataclass
class PageRun:
    """One run of a page in a folder of its own. `differing`: where given, differences are put there, not raised."""

    page: Path
    folder: Path
    differing: list[Differs] | None = None
    _alone: list[Path] = field(default_factory=list)
    _background: subprocess.Popen[str] | None = None

    def run(self) -> None:
        """Everything, in order. Raises Differs."""
        text = self.page.read_text(encoding="utf-8")
        inside = self.folder / "page"
        inside.mkdir()
        self.shell = Shell(inside, self.folder / "bin")
        self._port = str(_free_port()) if "background" in text else SHOWN_PORT
        for name in _PROJECT_OF.findall(text):
            for block in blocks_of((self.page.parent / name).read_text(encoding="utf-8")):
                if block.file and "alone" not in block.words:
                    self.shell.write(block.file, block.text)
        try:
            for block in blocks_of(text):
                self._take(block)
        finally:
            self._end_background()

    def _take(self, block: Block) -> None:
        if block.file:
            if "alone" in block.words:
                for path in self._alone:
                    path.unlink(missing_ok=True)
                self._alone.clear()
            path = self.shell.write(block.file, self._ported(block.text))
            if "alone" in block.words:
                self._alone.append(path)
        if block.language != "console" or (block.needs is not None and not _is_here(block.needs)):
            return
        commands = commands_of(block)
        if "background" in block.words:
            [command] = commands
            self._begin_background(command)
            return
        for command, following in zip(commands, [*commands[1:], None]):
            self._check(command, fails=following is not None and following.words == "echo $?")

    def _check(self, command: Command, fails: bool) -> None:
        patience = PATIENCE_SECONDS if self.differing is None else 0
        until = time.monotonic() + (patience if self._background is not None else 0)
        while True:
            status, printed = self.shell.run(self._ported(command.words))
            printed = [line.replace(self._port, SHOWN_PORT) for line in printed]
            fine = (status == 0 or fails) and (not command.shown or agrees(command.shown, printed))
            if fine or time.monotonic() >= until:
                break
            time.sleep(0.2)
        if not fine:
            self._tell(command, printed, f"ended with {status} and prints" if status and not fails else "prints")

    def _tell(self, command: Command, printed: list[str], what: str) -> None:
        where = f"{self.page.relative_to(ROOT)}:{command.line}: $ {command.words}"
        error = Differs("\n".join([where, "shows", *command.shown, what, *printed]), command, printed)
        if self.differing is None:
            raise error
        self.differing.append(error)

    def _begin_background(self, command: Command) -> None:
        self._end_background()
        words = command.words.replace("orchestrator up", f"orchestrator up --port {self._port}")
        self._background = self.shell.start(words)
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            ended = self._background.poll()
            printed = [line.replace(self._port, SHOWN_PORT) for line in self.shell.said()]
            if agrees(command.shown, printed):
                return
            if ended is not None or time.monotonic() >= until:
                self._tell(command, printed, "prints" if ended is None else f"ended with {ended} and prints")
                return
            time.sleep(0.1)

    def _end_background(self) -> None:
        if self._background is None:
            return
        self._background.send_signal(signal.SIGTERM)
        try:
            self._background.wait(20)
        except subprocess.TimeoutExpired:
            self._background.kill()
            self._background.wait()
        self._background = None

    def _ported(self, text: str) -> str:
        return text.replace(SHOWN_PORT, self._port)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _is_here(name: str) -> bool:
    if shutil.which(name) is not None:
        return True
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def rewrite(page: Path) -> list[str]:
    """Put into a page what its commands print now, where it shows something else. Returns what is left to do by hand:
    output that is abridged, and commands that fail."""
    differing: list[Differs] = []
    with TemporaryDirectory() as folder:
        PageRun(page, Path(folder), differing).run()
    lines = page.read_text(encoding="utf-8").splitlines()
    left = []
    for error in sorted(differing, key=lambda error: error.command.line, reverse=True):
        command = error.command
        if any("..." in line for line in command.shown) or "ended with" in str(error):
            left.append(str(error))
        else:
            lines[command.line : command.line + len(command.shown)] = [line.rstrip() for line in error.printed]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return left


if __name__ == "__main__":
    for name in sys.argv[1:]:
        for words in rewrite(Path(name).resolve()):
            print(words, end="\n\n")
