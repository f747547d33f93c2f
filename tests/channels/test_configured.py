"""From URLs to adapters, and what is said about URLs that are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.configured import channel_of, channels_of
from orchestrator.channels.console import ConsoleChannel
from orchestrator.channels.file import FileChannel
from orchestrator.channels.null import NullChannel
from orchestrator.channels.smtp import SmtpChannel
from orchestrator.channels.smtp_wire import SmtpServer
from orchestrator.errors import UsageError


def server_of(url: str) -> SmtpServer:
    channel = channel_of(url, base_dir=Path("/nowhere"))
    assert isinstance(channel, SmtpChannel)
    server: SmtpServer = channel._server
    return server


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("smtp://mail.example.com", {"port": 25, "tls": "prefer", "user": None}),
        ("smtp://u:p%40ss@mail.example.com", {"port": 587, "tls": "require", "user": "u", "password": "p@ss"}),
        ("smtp://u:p@mail.example.com:2525?starttls=no", {"port": 2525, "tls": "never"}),
        ("smtp://u:p@localhost", {"tls": "prefer", "host": "localhost"}),
        ("smtps://u:p@mail.example.com", {"port": 465, "tls": "always"}),
        ("smtp://[::1]:25?timeout=5s&connect_timeout=2", {"host": "::1", "timeout": 5.0, "connect_timeout": 2.0}),
        ("smtp://mail.example.com?verify=no&hello=shop.example.com", {"verify": False, "hello": "shop.example.com"}),
    ],
)
def test_mail_servers(url: str, expected: dict[str, Any]) -> None:
    server = server_of(url)
    assert {name: getattr(server, name) for name in expected} == expected


def test_how_a_mail_server_is_used() -> None:
    channel = channel_of("smtp://mail.example.com?width=3&rate=600/min", base_dir=Path())
    assert (channel.width, channel.rate, channel.idempotent) == (3, 10.0, False)


def test_sinks(tmp_path: Path) -> None:
    file = channel_of("file:out/mail?rate=5/s", base_dir=tmp_path)
    assert isinstance(file, FileChannel) and (file.folder, file.rate) == (tmp_path / "out/mail", 5.0)
    absolute = channel_of(f"file://{tmp_path}/else", base_dir=Path("/nowhere"))
    assert isinstance(absolute, FileChannel) and absolute.folder == tmp_path / "else"
    assert isinstance(channel_of("console:", base_dir=tmp_path), ConsoleChannel)
    assert isinstance(channel_of("null:", base_dir=tmp_path), NullChannel)
    assert list(tmp_path.iterdir()) == []  # folders are made when something is written


def test_channels_of_one_address_are_one_provider(tmp_path: Path) -> None:
    channels = channels_of({"email": "file:out", "sms": "file:out", "push": "null:"}, base_dir=tmp_path)
    assert channels["email"] is channels["sms"]
    assert channels["email"] is not channels["push"]


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("", "is no URL"),
        ("mail.example.com", "is no URL"),
        ("smpt://mail.example.com", "did you mean 'smtp:'?"),
        ("smtp://", "names no host"),
        ("smtp://mail:port", "cannot be read"),
        ("smtp://mail:99999", "cannot be read"),
        ("smtp://user@mail.example.com", "a user name without a password"),
        ("smtp://mail.example.com?startls=require", "did you mean 'starttls'?"),
        ("smtp://mail.example.com?starttls=maybe", "one of no, prefer, require"),
        ("smtp://mail.example.com?width=0", "a number from 1 to 100"),
        ("smtp://mail.example.com?timeout=nan", "a number from 0.1 to 45"),
        ("smtp://mail.example.com?rate=fast", "such as 100/s"),
        ("smtp://mail.example.com?ca=none.pem", "which is no file"),
        ("smtp://mail.example.com?from=nobody", "an address such as"),
        ("smtp://mail.example.com?width=1&width=2", "'width' twice"),
        ("smtp://u:pässword@mail.example.com", "have to be ASCII"),
        ("smtps://mail.example.com?starttls=no", "no option 'starttls'"),
        ("file://out", "write file:out"),
        ("file:", "names no folder"),
        ("null:?rate=", "such as 100/s"),
    ],
)
def test_what_cannot_be_used_is_refused_with_a_way_out(url: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError) as refused:
        channel_of(url, base_dir=tmp_path)
    assert words in str(refused.value)
    assert refused.value.code == "bad_setting"


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("x")
    with pytest.raises(UsageError, match="is a file"):
        channel_of("file:out", base_dir=tmp_path)


def test_text_messages_do_not_go_over_a_mail_server(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'sms' cannot go over a mail server"):
        channels_of({"sms": "smtp://mail.example.com"}, base_dir=tmp_path)


@given(st.text(max_size=60), st.sampled_from(["", "smtp://", "smtp://u:hunter2@", "smtps://h?", "file:", "null:?"]))
def test_any_text_is_an_adapter_or_a_usage_error(text: str, start: str) -> None:
    said = ""
    try:
        channel_of(start + text, base_dir=Path("/nowhere")).close()
    except UsageError as error:
        said = str(error)
    assert "hunter2" not in said
