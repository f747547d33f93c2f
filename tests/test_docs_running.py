"""Pages of the documents that start servers and other processes: what they show is what happens, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.doc_pages import PAGES, PageRun, starts_servers

SERVING = [page for page in PAGES if starts_servers(page)]


@pytest.mark.slow
@pytest.mark.parametrize("page", SERVING, ids=lambda page: page.stem)
def test_what_a_page_shows_is_what_happens(page: Path, tmp_path: Path) -> None:
    PageRun(page, tmp_path).run()


def test_there_are_such_pages() -> None:
    assert {page.stem for page in SERVING} >= {"getting-started", "operations"}
