"""What an assistant can ask for: the tools over the project that `init` makes."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from orchestrator.cli.main import main
from orchestrator.mcp.limits import LONGEST_ANSWER, Masks, clipped
from orchestrator.mcp.session import Session
from orchestrator.mcp.tool import Place
from orchestrator.runtime.turns import turn_once
from orchestrator.wiring.installation import installation

TEMPLATE = Path(__file__).resolve().parents[2] / "orchestrator" / "project_template"


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("ORCHESTRATOR_DATABASE_URL", "ORCHESTRATOR_BROKER_URL"):
        monkeypatch.delenv(name, raising=False)
    shutil.copytree(TEMPLATE, tmp_path / "shop")
    return tmp_path / "shop"


class Asking:
    """One session, asked in this process."""

    def __init__(self, root: Path, *, write: bool = False, **options: Any) -> None:
        self.session = Session(Place(root, **options), write)

    def rpc(self, method: str, **params: Any) -> Any:
        line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        return self.session.answer(line)

    def __call__(self, tool: str, **arguments: Any) -> str:
        found = self.rpc("tools/call", name=tool, arguments=arguments)["result"]
        assert not found["isError"], found
        return str(found["content"][0]["text"])

    def refused(self, tool: str, **arguments: Any) -> str:
        found = self.rpc("tools/call", name=tool, arguments=arguments)["result"]
        assert found["isError"], found
        return str(found["content"][0]["text"])


def test_reading_the_project(root: Path) -> None:
    ask = Asking(root)
    listed = ask("list_journeys")
    assert "welcome (journeys/welcome.yaml)" in listed and "templates/email/" in listed and "0 errors" in listed
    assert "steps:" in ask("show_journey", journey="welcome")
    assert "start:" in ask("show_journey", journey="scenarios/first.yaml")
    assert "flowchart TD" in ask("graph", journey="welcome")
    assert "0 failed" in ask("test") and "welcome" in ask("test", journey="welcome")
    assert ask("lint") == "no problems"
    (root / "journeys" / "welcome.yaml").write_text("steps: [{emial: x}]\n")
    assert "journeys/welcome.yaml:1" in ask("lint", path="journeys/") and ask("lint", path="templates") == "no problems"
    assert "errors" in ask.refused("simulate", scenario="scenarios/first.yaml")
    assert "did you mean" in ask.refused("show_journey", journey="journeys/welcom.yaml")
    assert "there is no journey" in ask.refused("graph", journey="nothing")


def test_running_and_explaining(root: Path) -> None:
    ask = Asking(root)
    ran = ask("simulate", scenario="scenarios/first.yaml", customer="ana", lines=3)
    assert '"type": "entered"' in ran and "[left out:" in ran and "ana@example.com" not in ran
    text = (root / "scenarios" / "first.yaml").read_text()
    assert "a***@***" in ask("simulate", scenario=text, customer="ana", lines=100)
    assert "ana@example.com" in Asking(root, personal=True)("simulate", scenario=text, customer="ana", lines=100)
    story = ask("why", customer="ana", scenario=text)
    assert "welcome" in story.lower() and "ana@example.com" not in story
    assert "there is no customer" in ask.refused("why", customer="nobody", scenario=text)
    assert "there is no journey" in ask.refused("why", customer="ana", journey="x", scenario=text)
    assert "scenario" in ask.refused("simulate", scenario="start: never\ncustomers: 7\n")


def test_an_installation_and_its_customers(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    people = root / "people.csv"
    people.write_text("id,email,first_name,tier\nana,ana@example.com,Anastasia,gold\nbob,bob@example.com,Bobby,\n")
    for words in (["db", "upgrade"], ["deploy", "--yes"], ["import", "customers", str(people)]):
        assert main(["--project", str(root), *words]) == 0, capsys.readouterr().err
    with installation(root) as opened:
        opened.adopt()
        while turn_once(opened.store, opened.journey_now()).customers:
            pass
    ask = Asking(root, write=True)
    found = ask("search_customers", text="a")
    assert '"ana"' in found and "gold" in found and "Anastasia" not in found and "ana@example.com" not in found
    assert "Anastasia" in Asking(root, personal=True)("search_customers", text="ana")
    assert "nobody" in ask("search_customers", text="zoe")
    assert '"members": 1' in ask("segment_preview", where="customer.tier == 'gold'")
    assert "character" in ask.refused("segment_preview", where="customer.tier ==")
    assert "ana" in ask("why", customer="ana") and "no customer" in ask.refused("why", customer="zoe")
    assert "project" in ask("doctor")
    assert "nothing differs" in ask("deploy_dry_run")
    path = root / "journeys" / "welcome.yaml"
    ask("save_journey_file", path="journeys/welcome.yaml", content=path.read_text() + "\n# longer\n")
    text = path.read_text().replace("title:", "title: New", 1)
    ask("save_journey_file", path="journeys/welcome.yaml", content=text)
    assert '"welcome"' in ask("deploy_dry_run") and "Nothing was deployed" in ask("deploy_dry_run")


def test_saving_is_refused_where_errors_would_follow(root: Path) -> None:
    ask, path = Asking(root, write=True), root / "journeys" / "welcome.yaml"
    before = path.read_text()
    told = ask("save_journey_file", path="journeys/welcome.yaml", content="steps: [{emial: x}]\n")
    assert told.startswith("not saved") and path.read_text() == before
    told = ask("save_journey_file", path="journeys/new.yaml", content="steps: nonsense\n")
    assert told.startswith("not saved") and not (root / "journeys" / "new.yaml").exists()
    told = ask("save_journey_file", path="journeys/new.yaml", content="steps: nonsense\n", despite_errors=True)
    assert told.startswith("saved (new)") and (root / "journeys" / "new.yaml").exists()
    told = ask("save_journey_file", path="templates/sms/more.txt", content="Hello\n")
    assert told.startswith("saved (new)"), "errors that were there before are not its own"
    assert not list(root.rglob(".saving-*"))
    reading = Asking(root)
    names = {tool["name"] for tool in reading.rpc("tools/list")["result"]["tools"]}
    assert not names & {"save_journey_file", "deploy_dry_run"} and len(names) == 10
    assert "no tool" in reading.rpc("tools/call", name="save_journey_file", arguments={})["error"]["message"]


OUTSIDE = (
    "../secret.yaml", "/etc/passwd", "journeys/../../x.yaml", "journeys", "journeys/", "project.yaml",
    "journeys/.x.yaml", ".git/config.txt", "journeys/x.py", "journeys\\..\\x.yaml", "journeys/\0x.yaml",
    "journeys/link.yaml", "journeys/away/x.yaml", "scenarios/x.yaml", "", "journeys/" + "x/" * 300 + "y.yaml",
)  # fmt: skip


@pytest.mark.parametrize("path", OUTSIDE)
def test_no_path_leads_out(root: Path, path: str) -> None:
    (root.parent / "secret.yaml").write_text("secret: 1\n")
    (root.parent / "away").mkdir()
    (root / "journeys" / "link.yaml").symlink_to(root.parent / "secret.yaml")
    (root / "journeys" / "away").symlink_to(root.parent / "away")
    ask = Asking(root, write=True)
    before = sorted(root.parent.rglob("*"))
    ask.refused("save_journey_file", path=path, content="x: 1\n")
    assert sorted(root.parent.rglob("*")) == before
    if path != "scenarios/x.yaml":
        assert "secret" not in ask.refused("show_journey", journey=f"{path}/" if "/" not in path else path).replace(
            path, ""
        )
    answer = ask.rpc("resources/read", uri=f"project:///{path}")
    assert "error" in answer


def test_hostile_scenarios(root: Path) -> None:
    ask = Asking(root, seconds=2.0)
    big = "start: 2026-03-01T10:00:00Z\ncustomers:\n" + "".join(f"  - {{id: u{n}}}\n" for n in range(6_000))
    assert "may have 5,000" in ask.refused("simulate", scenario=big)
    assert "characters" in ask.refused("simulate", scenario="x" * 300_000)
    bomb = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(9)
    )
    ask.refused("simulate", scenario=bomb)
    ask.refused("simulate", scenario="[" * 50_000 + "\n")
    (root.parent / "elsewhere").mkdir()
    away = "start: 2026-03-01T10:00:00Z\ncustomers: [{id: u}]\ntimeline:\n  - {at: +1h, deploy: ../../elsewhere}\n"
    assert "outside" in ask.refused("simulate", scenario=away)


def test_a_tool_that_takes_too_long_is_ended(root: Path) -> None:
    people = "".join(
        f"  - {{id: u{n}, email: u{n}@example.com, consents: {{promotions: {{email: in}}}}}}\n" for n in range(2_000)
    )
    events = "".join(f"  - {{at: +{n}h, customer: u{n}, event: signed_up}}\n" for n in range(2_000))
    text = f"start: 2026-03-01T10:00:00Z\ncustomers:\n{people}timeline:\n{events}"
    assert "ended after 0.3 s" in Asking(root, seconds=0.3).refused(
        "simulate", scenario=text[:199_000].rpartition("\n")[0]
    )
    assert Asking(root)("lint") == "no problems"


def test_arguments_are_checked(root: Path) -> None:
    ask = Asking(root)
    assert "takes no argument" in ask.refused("lint", pth="x")
    assert "needs the argument" in ask.refused("graph")
    assert "type string" in ask.refused("graph", journey=7)
    assert "type integer" in ask.refused("simulate", scenario="x", lines=True)
    assert ask.rpc("tools/call", name=None)["error"]["code"] == -32602
    assert "object" in ask.rpc("tools/call", name="lint", arguments=[1])["result"]["content"][0]["text"]


def test_answers_are_bounded_and_people_masked() -> None:
    text = "line\n" * 20_000
    cut = clipped(text)
    assert len(cut) < LONGEST_ANSWER + 200 and "left out" in cut and clipped("short") == "short"
    masks = Masks(personal=False)
    told = masks.text(
        "to ana.b@example.com, +351 912 345 678: 12345 Ana, Ananas", {"first_name": "Ana", "tier": "gold"}
    )
    assert told == "to a***@***, +***: 12345 [first_name], Ananas"
    assert masks.line({"type": "attribute", "name": "first_name", "value": "Ana"})["value"] == "***"
    assert masks.line({"type": "event", "name": "x", "properties": {"phone": "1", "n": 2}})["properties"] == {
        "phone": "***", "n": 2,
    }  # fmt: skip
    assert masks.text("@" * 50_000 + "a." * 50_000) and Masks(True).text("a@b.c") == "a@b.c"
