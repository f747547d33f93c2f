"""Progress bars: on a terminal only, and gone afterwards."""

from __future__ import annotations

import io

import pytest

from orchestrator.cli.progress import progress_bar
from orchestrator.cli.terminal import Terminal


class Screen(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.delenv("NO_COLOR", raising=False)
    terminal = Terminal()
    terminal.err = Screen()
    return terminal


def test_a_bar_on_a_terminal(terminal: Terminal) -> None:
    with progress_bar(terminal, "replaying") as progress:
        assert progress is not None
        for done in range(101):
            progress(done, 100)
    shown = terminal.err.getvalue()  # type: ignore[attr-defined]
    assert "replaying" in shown and "100/100" in shown


def test_nothing_where_nobody_looks(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with progress_bar(terminal, "replaying") as progress:
        assert progress is None
    terminal.err = io.StringIO()
    monkeypatch.setenv("TERM", "xterm")
    with progress_bar(terminal, "replaying") as progress:
        assert progress is None


def test_colours_only_for_people_on_a_terminal(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    assert terminal.paint("x", "red") == "x"
    terminal.people = Screen()
    assert terminal.paint("x", "red", "bold") == "\x1b[31;1mx\x1b[0m"
    monkeypatch.setenv("NO_COLOR", "1")
    assert terminal.paint("x", "red") == "x"
