"""The protocol itself: over standard input and output of a process, with another party's client where it is there, and
with messages that are none."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.mcp.protocol import VERSIONS
from orchestrator.mcp.session import Session
from orchestrator.mcp.tool import Place

TEMPLATE = Path(__file__).resolve().parents[2] / "orchestrator" / "project_template"
PROGRAM = [sys.executable, "-m", "orchestrator.cli.main", "mcp", "--project"]


def call(id: Any, method: str, **params: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", "id": id, "method": method, "params": params}).encode() + b"\n"


def test_a_conversation_over_pipes(tmp_path: Path) -> None:
    shutil.copytree(TEMPLATE, tmp_path / "shop")
    said = b"".join(
        [
            call(1, "initialize", protocolVersion="2024-11-05", capabilities={}, clientInfo={"name": "t"}),
            b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n\n',
            b"this is no JSON\n",
            b'{"jsonrpc":"2.0","id":9,"method":"tools/call","params":{"name":"lint","arguments":{"x":"'
            + b"x" * (3 << 20) + b'"}}}\n',
            call("two", "tools/call", name="list_journeys"),
            b"[" + call(3, "ping").strip() + b',{"jsonrpc":"2.0","method":"notifications/x"},7]\n',
            call(4, "resources/read", uri="project:///journeys/welcome.yaml"),
            call(5, "nothing/here"),
        ]
    )  # fmt: skip
    done = subprocess.run([*PROGRAM, str(tmp_path / "shop")], input=said, capture_output=True, timeout=60, check=False)
    answers = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0, done.stderr
    assert answers[0]["result"]["protocolVersion"] == "2024-11-05"
    assert [one["error"]["code"] for one in answers[1:3]] == [-32700, -32700]
    assert "welcome" in answers[3]["result"]["content"][0]["text"] and answers[3]["id"] == "two"
    assert [one.get("id") for one in answers[4]] == [3, None] and answers[4][1]["error"]["code"] == -32600
    assert "steps:" in answers[5]["result"]["contents"][0]["text"] and answers[6]["error"]["code"] == -32601
    assert len(answers) == 7 and b"orchestrator mcp: list_journeys: answered" in done.stderr


def test_another_partys_client(tmp_path: Path) -> None:
    mcp = pytest.importorskip("mcp", reason="the package mcp is not installed: another party's client")
    import asyncio

    shutil.copytree(TEMPLATE, tmp_path / "shop")

    async def talk() -> None:
        words = [*PROGRAM[1:], str(tmp_path / "shop")]
        parameters = mcp.StdioServerParameters(command=sys.executable, args=words, cwd=str(Path.cwd()))
        async with mcp.stdio_client(parameters) as (read, write), mcp.ClientSession(read, write) as session:
            await session.initialize()
            tools = await session.list_tools()
            assert {tool.name for tool in tools.tools} >= {"lint", "simulate", "why", "graph"}
            found = await session.call_tool("simulate", {"scenario": "scenarios/first.yaml"})
            assert "entered" in found.content[0].text
            resources = await session.list_resources()
            assert any(str(one.uri).endswith("journeys/welcome.yaml") for one in resources.resources)

    asyncio.run(asyncio.wait_for(talk(), 60))


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    root = tmp_path_factory.mktemp("empty")
    (root / "journeys").mkdir()
    return Session(Place(root), True)


def test_versions(session: Session) -> None:
    for asked, given_ in [*((one, one) for one in VERSIONS), ("1999-01-01", VERSIONS[0]), (None, VERSIONS[0])]:
        assert session.answer(call(1, "initialize", protocolVersion=asked))["result"]["protocolVersion"] == given_
    assert session.answer(b"[" + call(1, "ping") + b"]")["error"]["code"] == -32600, "no batches any more"
    session.answer(call(1, "initialize", protocolVersion="2025-03-26"))
    assert session.answer(b"[" + b",".join([call(1, "ping")] * 60) + b"]")["error"]["code"] == -32600
    assert session.answer(b"[]")["error"]["code"] == -32600
    assert session.answer(b'[{"jsonrpc":"2.0","method":"ping"}]') is None


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b"{", -32700), (b"\xff\xfe", -32700), (b"[" * 100_000, -32700), (b'{"jsonrpc":"2.0","id":NaN}', -32700),
        (b"7", -32600), (b"{}", -32600), (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":true,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":7}}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"docs:///../pyproject.toml"}}', -32002),
        (b'{"jsonrpc":"2.0","id":1,"method":"resources/read","params":{"uri":"file:///etc/passwd"}}', -32002),
    ],
)  # fmt: skip
def test_what_is_no_request(session: Session, line: bytes, code: int) -> None:
    assert session.answer(line)["error"]["code"] == code


def test_answers_are_not_answered(session: Session) -> None:
    for line in (b'{"jsonrpc":"2.0","id":1,"result":{}}', b'{"jsonrpc":"2.0","method":"x"}'):
        assert session.answer(line) is None


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.sampled_from(["2.0", "tools/call", "lint"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["jsonrpc", "id", "method", "params", "name", "arguments"]), inner, max_size=5
        )
    ),
    max_leaves=12,
)


@settings(max_examples=100, deadline=None)
@given(message=JSON)
def test_whatever_comes_is_answered_or_passed_over(session: Session, message: Any) -> None:
    answer = session.answer(json.dumps(message).encode())
    for one in answer if isinstance(answer, list) else [answer]:
        assert one is None or ("result" in one) != ("error" in one)
        assert one is None or one.get("error", {}).get("code") != -32603
