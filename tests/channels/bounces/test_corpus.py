"""Public collections of bounces, classified as their authors say.

Neither comes with this project: they are named by the environment, and the tests are skipped where they are not.

- `BOUNCE_CORPUS`: the unpacked source distribution of flufl.bounce (`pip download --no-binary :all: flufl.bounce`).
- `BOUNCE_CORPUS_SISIMAI`: a checkout of sisimai/p5-sisimai with its submodule set-of-emails.
"""

from __future__ import annotations

import ast
import os
import re
from pathlib import Path
from typing import Any

import pytest

from orchestrator.channels.bounces.classify import read_returned

LEAST = 0.98
FAILED = {"hard", "soft", "block"}


def corpus(variable: str, inside: str) -> Path:
    folder = Path(os.environ.get(variable, "/nowhere"))
    if not (folder / inside).is_dir():
        pytest.skip(f"{variable} names no folder with {inside}: the installed package has no messages")
    return folder


def flufl_expected(folder: Path) -> dict[str, tuple[set[str], bool]]:
    """By file: the addresses, and whether they bounced for now only."""
    tree = ast.parse((folder / "tests" / "test_detectors.py").read_text())
    [rows] = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "DETECTORS"
    ]
    found: dict[str, tuple[set[str], bool]] = {}
    for _, file, addresses, temporary in rows:
        known = found.get(file, (set(), temporary))[0]
        found[file] = known | {address.decode().lower() for address in addresses}, temporary
    return found


def test_the_collection_of_flufl_bounce() -> None:
    folder = corpus("BOUNCE_CORPUS", "tests/data")
    expected, wrong = flufl_expected(folder), []
    for file, (addresses, temporary) in expected.items():
        returned = read_returned((folder / "tests" / "data" / file).read_bytes()).returned
        failed = {(one.address or "").lower() for one in returned if one.said in FAILED}
        delayed = {(one.address or "").lower() for one in returned if one.said == "delayed"}
        if (failed, delayed) != ((set(), addresses) if temporary else (addresses, set())):
            wrong.append(file)
    assert len(expected) > 100
    assert 1 - len(wrong) / len(expected) >= LEAST, wrong


def sisimai_expected(folder: Path) -> dict[str, list[tuple[Any, ...]]]:
    """By file: (reason, whether it is a hard bounce, kind of feedback) of each recipient."""
    found = {}
    for test in sorted((folder / "t").glob("*.t")):
        name = re.sub(r"^\d+-", "", test.stem)
        for number, body in re.findall(r"'(\d+)'\s*=>\s*\[(\[.*?\])\],?\s*\n", test.read_text(), re.S):
            rows = re.findall(r"\[\s*'[^']*',\s*'[^']*',\s*'([^']*)',\s*(\d)(?:,\s*'([^']*)')?", body)
            if rows and (folder / "set-of-emails/maildir/bsd" / f"{name}-{number}.eml").is_file():
                found[f"{name}-{number}.eml"] = rows
    return found


def test_the_collection_of_sisimai() -> None:
    """Whether a mail tells of an address that is gone. Where an unknown user is only told after the whole message, its
    authors call it `filtered`, and we believe the words: these count as agreed."""
    folder = corpus("BOUNCE_CORPUS_SISIMAI", "set-of-emails/maildir/bsd")
    expected, wrong = sisimai_expected(folder), []
    for file, rows in expected.items():
        reading = read_returned((folder / "set-of-emails/maildir/bsd" / file).read_bytes())
        reasons = {reason for reason, *_ in rows}
        gone = any(hard == "1" for _, hard, _ in rows)
        if reasons == {"feedback"} and not {kind for *_, kind in rows} <= {"auth-failure", "not-spam"}:
            right = reading.kind == "complaint"
        else:
            right = gone == ("hard" in {one.said for one in reading.returned}) or (not gone and "filtered" in reasons)
        if not right:
            wrong.append(file)
    assert len(expected) > 400
    assert 1 - len(wrong) / len(expected) >= LEAST, wrong
