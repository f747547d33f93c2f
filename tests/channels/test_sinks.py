"""What the sinks leave behind: files that mail programs open, a log for checkers, lines on a terminal."""

from __future__ import annotations

import json
import os
import threading
from io import StringIO
from pathlib import Path

import pytest

from orchestrator.channels.console import ConsoleChannel, summary_of
from orchestrator.channels.file import FileChannel, file_name
from orchestrator.channels.null import NullChannel
from orchestrator.channels.protocol import Answer, Outgoing
from orchestrator.channels.seed_send import send_test
from tests.channels.contract import outgoing


def test_files_and_the_log(tmp_path: Path) -> None:
    channel = FileChannel(tmp_path)
    channel.send([outgoing(), outgoing("e1.sms_1.1", "sms", text="Your table is ready")])
    assert (tmp_path / "email/e1.email_1.1.eml").read_bytes().startswith(b"Date: Mon, 02 Mar 2026 10:00:00 +0000\r\n")
    assert (tmp_path / "sms/e1.sms_1.1.txt").read_text() == (
        "To: +351912345678\nFrom: Harbour\nDate: 2026-03-02T10:00:00+00:00\n\nYour table is ready\n"
    )
    log = [json.loads(line) for line in (tmp_path / "accepted.log").read_text().splitlines()]
    assert [(entry["id"], entry["channel"], entry["to"], entry["file"]) for entry in log] == [
        ("e1.email_1.1", "email", "ana@example.com", "email/e1.email_1.1.eml"),
        ("e1.sms_1.1", "sms", "+351912345678", "sms/e1.sms_1.1.txt"),
    ]


def test_many_writers_leave_whole_lines(tmp_path: Path) -> None:
    def write(start: int) -> None:
        channel = FileChannel(tmp_path)
        for number in range(start, start + 50):
            channel.send([outgoing(f"e{number}.s.1")])

    threads = [threading.Thread(target=write, args=(start,)) for start in (0, 50, 100, 150)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    ids = [json.loads(line)["id"] for line in (tmp_path / "accepted.log").read_text().splitlines()]
    assert sorted(ids) == sorted(f"e{number}.s.1" for number in range(200))
    assert len(list((tmp_path / "email").glob("*.eml"))) == 200
    assert not list((tmp_path / "email").glob("*.tmp"))


def test_a_folder_that_is_emptied_meanwhile_is_made_anew(tmp_path: Path) -> None:
    channel = FileChannel(tmp_path / "out")
    channel.send([outgoing()])
    for place in sorted((tmp_path / "out").rglob("*"), reverse=True):
        place.unlink() if place.is_file() else place.rmdir()
    answers = [channel.send([outgoing()])[0].outcome for _ in range(2)]
    assert answers[-1] == "accepted"
    assert (tmp_path / "out/email/e1.email_1.1.eml").exists()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no device that is always full here")
def test_a_full_disk_refuses_for_now(tmp_path: Path) -> None:
    (tmp_path / "accepted.log").symlink_to("/dev/full")
    [answer] = FileChannel(tmp_path).send([outgoing()])
    assert (answer.outcome, answer.down) == ("retry", True)
    assert "accepted.log cannot be written" in (answer.reason or "")


def test_a_folder_that_cannot_be_made_refuses_for_now(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    [answer] = FileChannel(tmp_path / "out").send([outgoing()])
    assert (answer.outcome, answer.down) == ("retry", True)


@pytest.mark.parametrize("id", ["ab12.email_1.1", "A.b", "a.B", "../x", "", "x" * 300, ".hidden", "con\n", "报"])
def test_names_of_files_are_safe(id: str) -> None:
    name = file_name(id)
    assert 0 < len(name) <= 150 and not name.startswith(".")
    assert name == name.lower() and set(name) <= set("abcdefghijklmnopqrstuvwxyz0123456789_.-")


def test_what_is_printed_cannot_command_the_terminal() -> None:
    stream = StringIO()
    ConsoleChannel(stream).send([outgoing(subject="a\x1b[2Jb", text="x\r\x1b]0;title\x07" + "y" * 1_000 + "\u202e")])
    shown = stream.getvalue()
    assert "\x1b" not in shown and "\r" not in shown and "\x07" not in shown and "\u202e" not in shown
    assert shown.startswith("email to ana@example.com from Harbour <hello@example.com>\n  a [2Jb\n")
    assert all(len(line) < 300 for line in shown.splitlines())


def test_a_summary_has_no_empty_lines() -> None:
    assert summary_of(Outgoing("1", "sms", "+1", None, "")) == "sms to +1\n"


def test_a_closed_stream_refuses_for_now() -> None:
    stream = StringIO()
    stream.close()
    [answer] = ConsoleChannel(stream).send([outgoing()])
    assert (answer.outcome, answer.down) == ("retry", True)


def test_the_null_channel_counts() -> None:
    channel = NullChannel()
    channel.send([outgoing()] * 3)
    channel.send([outgoing()])
    assert channel.taken == 4


def test_a_test_send_carries_no_unsubscribe_link(tmp_path: Path) -> None:
    message = outgoing("preview.1", unsubscribe_url="https://example.com/u/x")
    assert send_test(FileChannel(tmp_path), message).outcome == "accepted"
    assert b"List-Unsubscribe" not in (tmp_path / "email/preview.1.eml").read_bytes()


def test_a_test_send_raises_nothing() -> None:
    class Broken(NullChannel):
        def send(self, messages: object) -> list[Answer]:
            raise RuntimeError("a bug")

    assert send_test(Broken(), outgoing()) == Answer("unknown", "RuntimeError: a bug")
