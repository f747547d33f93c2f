"""Every adapter signs the contract."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path

import pytest

from orchestrator.channels.configured import channel_of
from orchestrator.channels.console import ConsoleChannel
from orchestrator.channels.file import FileChannel
from orchestrator.channels.null import NullChannel
from orchestrator.testing.sink import SinkChannel
from tests.channels.contract import Adapter, ChannelContract
from tests.channels.mail_server import mail_server


class TestNull(ChannelContract):
    @pytest.fixture
    def adapter(self) -> Adapter:
        return Adapter(NullChannel(), hostile=False)


class TestConsole(ChannelContract):
    @pytest.fixture
    def adapter(self) -> Adapter:
        return Adapter(ConsoleChannel(StringIO()), hostile=False)


class TestFile(ChannelContract):
    @pytest.fixture
    def adapter(self, tmp_path: Path) -> Adapter:
        return Adapter(FileChannel(tmp_path / "out"), arrived=lambda: files_of(tmp_path / "out" / "email"))


class TestTextsInFiles(ChannelContract):
    @pytest.fixture
    def adapter(self, tmp_path: Path) -> Adapter:
        channel = channel_of("file:out?fsync=yes", base_dir=tmp_path)
        return Adapter(channel, "sms", lambda: files_of(tmp_path / "out" / "sms"), hostile=False)


class TestTextsOnTheConsole(ChannelContract):
    @pytest.fixture
    def adapter(self) -> Adapter:
        return Adapter(ConsoleChannel(StringIO()), "sms", hostile=False)


class TestSmtp(ChannelContract):
    @pytest.fixture
    def adapter(self, tmp_path: Path) -> Iterator[Adapter]:
        with mail_server() as server:
            channel = channel_of(f"smtp://127.0.0.1:{server.port}?timeout=10", base_dir=tmp_path)
            yield Adapter(channel, arrived=lambda: [str(message["Message-ID"]) for _, message in server.accepted])
            channel.close()

    def test_each_message_gets_its_answer_in_order(self, adapter: Adapter) -> None:
        adapter.arrived = None  # it knows them by Message-IDs; tests of SMTP itself compare those
        super().test_each_message_gets_its_answer_in_order(adapter)


class TestSimulated(ChannelContract):
    @pytest.fixture
    def adapter(self) -> Adapter:
        return Adapter(SinkChannel(), hostile=False)


def files_of(folder: Path) -> list[str]:
    """The ids of the files in a folder, as the log beside it knows them."""
    log = [json.loads(line) for line in (folder.parent / "accepted.log").read_text().splitlines()]
    ids = {entry["file"]: entry["id"] for entry in log}
    return [ids[f"{folder.name}/{path.name}"] for path in folder.iterdir()]
