"""Test results as JUnit XML, which every CI system reads."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape, quoteattr

if TYPE_CHECKING:
    from orchestrator.testing.journey_tests import TestResult

_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def junit_xml(results: Sequence[TestResult]) -> str:
    """The document; one suite for each journey and file, in the order of the results."""
    out = ['<?xml version="1.0" encoding="UTF-8"?>', f"<testsuites{_counts(results)}>"]
    for (journey, _), group in groupby(results, key=lambda result: (result.journey, result.path)):
        suite = list(group)
        out.append(f"  <testsuite name={_attribute(journey)}{_counts(suite)}>")
        for result in suite:
            out += _case(result)
        out.append("  </testsuite>")
    out.append("</testsuites>")
    return "\n".join(out) + "\n"


def _case(result: TestResult) -> list[str]:
    opening = (
        f"    <testcase name={_attribute(result.name)} classname={_attribute(result.journey)} "
        f'file={_attribute(result.path)} line="{result.line}" time="{result.seconds:.3f}"'
    )
    if result.passed:
        return [f"{opening}/>"]
    first = result.failures.splitlines()[0] if result.failures else "failed"
    text = escape(_clean(result.failures))
    return [f"{opening}>", f"      <failure message={_attribute(first)}>{text}</failure>", "    </testcase>"]


def _counts(results: Sequence[TestResult]) -> str:
    failed = sum(1 for result in results if not result.passed)
    seconds = sum(result.seconds for result in results)
    return f' tests="{len(results)}" failures="{failed}" errors="0" time="{seconds:.3f}"'


def _attribute(text: str) -> str:
    return quoteattr(_clean(text))


def _clean(text: str) -> str:
    """Without what XML cannot hold, not even escaped."""
    return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", text)
