"""A shell for the commands of a page, with this tree's `orchestrator` on its path."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND_TIMEOUT_SECONDS = 60
IN_A_PROCESS_OF_ITS_OWN = frozenset({"up", "demo"})
_SHELL_WORK = re.compile(r"[|&;<>()$`\n~#]|(?<!\S)\*|^\w+=")


class Shell:
    """One shell for all commands of a page, with this tree's `orchestrator` on its path."""

    def __init__(self, folder: Path, programs: Path) -> None:
        programs.mkdir()
        for name, words in (("orchestrator", "-m orchestrator.cli.main "), ("python", "")):
            program = programs / name
            program.write_text(f'#!/bin/sh\nexec "{sys.executable}" {words}"$@"\n', encoding="utf-8")
            program.chmod(0o755)
        self.folder = self._at = folder.resolve()
        self._programs = programs
        self._status = 0
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ORCHESTRATOR_")}
        self._environment = kept | {
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "PYTHONDONTWRITEBYTECODE": "1",
            "COLUMNS": "120",
            "NO_COLOR": "1",
        }

    def run(self, words: str) -> tuple[int, list[str]]:
        """Status and lines of one command; the working folder carries over to the next."""
        if words.startswith("orchestrator ") and not _SHELL_WORK.search(words):
            split = shlex.split(words)
            if IN_A_PROCESS_OF_ITS_OWN.isdisjoint(split):
                self._status, printed = self._run_here(split[1:])
                return self._status, printed
        state = self._programs / "state"
        script = f"cd '{self._at}'; (exit {self._status})\n{words}\nstatus=$?; pwd -P > '{state}'; exit $status"
        done = subprocess.run(
            ["bash", "-c", script],
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=COMMAND_TIMEOUT_SECONDS,
            check=False,
        )
        self._at = Path(state.read_text(encoding="utf-8").rstrip("\n"))
        self._status = done.returncode
        return done.returncode, done.stdout.splitlines()

    def start(self, words: str) -> subprocess.Popen[str]:
        """A command that goes on; its output goes to a file that `said` reads."""
        log = (self._programs / "background").open("w", encoding="utf-8")
        with log:
            return subprocess.Popen(
                ["bash", "-c", f"exec {words}"],
                cwd=self._at,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )

    def said(self) -> list[str]:
        """What the command that goes on has printed so far."""
        return (self._programs / "background").read_text(encoding="utf-8").splitlines()

    def write(self, name: str, text: str) -> Path:
        """Write a file of the page below the present working folder."""
        path = (self._at / name).resolve()
        assert path.is_relative_to(self.folder), f"{name} lies outside the page's folder"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    def _run_here(self, words: Sequence[str]) -> tuple[int, list[str]]:
        from orchestrator.cli.main import main

        printed = io.StringIO()
        before = dict(os.environ)
        try:
            os.environ.clear()
            os.environ.update(self._environment)
            with (
                contextlib.chdir(self._at),
                contextlib.redirect_stdout(printed),
                contextlib.redirect_stderr(printed),
            ):
                status = main(words)
        finally:
            os.environ.clear()
            os.environ.update(before)
        return status, printed.getvalue().splitlines()
