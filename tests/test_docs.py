"""The documents tell the truth: what they show is run, what they list exists, where they point there is something.

How a page says what is to be run is written in `tests/doc_pages.py`. Pages that start servers are run by
`tests/test_docs_running.py`: they take longer.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

import orchestrator
from tests.doc_blocks import agrees, blocks_of
from tests.doc_pages import PAGES, PageRun, starts_servers
from tests.doc_shell import ROOT, Shell


def _relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


@pytest.mark.slow
@pytest.mark.parametrize("page", [page for page in PAGES if not starts_servers(page)], ids=_relative)
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    PageRun(page, tmp_path).run()


@pytest.mark.parametrize("page", PAGES, ids=_relative)
def test_yaml_on_a_page_parses(page: Path) -> None:
    for block in blocks_of(page.read_text(encoding="utf-8")):
        if block.language == "yaml":
            try:
                yaml.compose(block.text, yaml.SafeLoader)
            except yaml.YAMLError as problem:
                pytest.fail(f"{_relative(page)}:{block.line}: {problem}")


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CHANGELOG.md"], ids=_relative)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if re.match(r"[a-z]+:", path):
            continue
        linked = (page.parent / path).resolve() if path else page
        assert linked.exists(), f"{_relative(page)} points at {target}, which does not exist"
        if anchor:
            assert anchor in _anchors(linked), f"{_relative(page)} points at {target}: there is no such heading"


def _anchors(page: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize(
    "page",
    ["CONTRIBUTING.md", "docs/design.md", "docs/add-a-channel.md", "docs/add-a-store.md", "orchestrator/README.md"],
)
def test_paths_named_in_the_text_exist(page: str) -> None:
    named = re.findall(
        r"`((?:orchestrator|tests|docs|core|definitions|runtime)/[^`\s]*)`", (ROOT / page).read_text("utf-8")
    )
    # `steps/<verb>.py` stands for any file of that folder, so the folder has to exist.
    paths = {name.partition("<")[0] for name in named}
    assert {
        path for path in paths if not any((base / path).exists() for base in (ROOT, ROOT / "orchestrator"))
    } == set()


def test_the_map_names_every_folder() -> None:
    text = (ROOT / "orchestrator" / "README.md").read_text(encoding="utf-8")
    folders = {path.parent.name for path in (ROOT / "orchestrator").glob("*/__init__.py")}
    assert {name for name in folders if f"`{name}/`" not in text} == set()


def test_the_changelog_knows_this_version() -> None:
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert re.search(rf"^## {re.escape(orchestrator.__version__)}\b", text, re.MULTILINE)


def test_a_page_that_lies_is_caught(tmp_path: Path) -> None:
    assert agrees(["one", "...", "last ... line"], ["one", "two", "three", "last 3 line"])
    assert agrees(["...", "done"], ["done"])
    assert not agrees(["one"], ["one", "two"])
    assert not agrees(["a.c"], ["abc"])
    (tmp_path / "page").mkdir()
    shell = Shell(tmp_path / "page", tmp_path / "bin")
    assert shell.run("mkdir inner && cd inner && false") == (1, [])
    assert shell.run("echo $?; pwd") == (0, ["1", str(tmp_path / "page" / "inner")])
