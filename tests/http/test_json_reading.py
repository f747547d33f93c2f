"""A body's JSON is read as strictly as ever, and what is said about it is true."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.http.json_reading import read_document
from orchestrator.http.problems import HttpRefusal
from orchestrator.http.strict_json import read_json

TEXT = st.text(st.sampled_from('a":{}[],\\ \t\n\x00é世😀'), max_size=6) | st.text(
    st.characters(exclude_categories=()), max_size=3
)
VALUE = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=12,
)
NAME = st.sampled_from(["batch", "sentAt", "context"]) | TEXT
INDENT = st.sampled_from([None, 0, 2])
SEPARATORS = st.sampled_from([(",", ":"), (", ", ": "), (" , ", "\t:\r\n")])


def refusal_of(data: bytes) -> tuple[Any, str]:
    """What is read, or the code of the refusal."""
    try:
        return read_document(data).document, ""
    except HttpRefusal as refusal:
        return None, refusal.code


def texts_in(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for name, inner in value.items() for text in (name, *texts_in(inner))]
    return [text for inner in value for text in texts_in(inner)] if isinstance(value, list) else []


def written(value: Any, indent: int | None, separators: tuple[str, str], ascii_only: bool) -> bytes:
    text = json.dumps(value, indent=indent, separators=separators, ensure_ascii=ascii_only)
    return text.encode("utf-8", "replace")


@given(st.dictionaries(NAME, VALUE, max_size=4), st.lists(VALUE, max_size=4), INDENT, SEPARATORS, st.booleans())
def test_a_document_is_what_was_written(
    top: dict[str, Any], items: list[Any], indent: int | None, separators: tuple[str, str], ascii_only: bool
) -> None:
    data = written({**top, "batch": items}, indent, separators, ascii_only)
    reading = read_document(data)
    assert reading.document == json.loads(data)
    assert reading.longest is not None
    for item in reading.document["batch"]:
        assert len(json.dumps(item, separators=(",", ":"), ensure_ascii=False)) <= max(reading.longest, 1)
    if reading.fit:
        texts = "".join(texts_in(reading.document))
        assert "\x00" not in texts
        texts.encode()


@given(VALUE, INDENT, st.booleans())
def test_a_body_without_items_is_read_as_well(value: Any, indent: int | None, ascii_only: bool) -> None:
    data = written(value, indent, (",", ":"), ascii_only)
    assert read_document(data).document == json.loads(data)


@given(st.text(st.sampled_from('{}[]:," \n\\ubatch01-.eE'), max_size=25))
@example('{"batch":[],}')
@example('{"batch":[{}]} x')
@example('{"batch":[1')
@example('{"batch"')
@example('{"batch":[1,]}')
@example('{"a":1,"a":1}')
@example('{"batch":[],"\\u0062atch":[]}')
@example('{"batch":[1e999]}')
@example('{"batch":[NaN]}')
@example('{"batch":[{"a":1,"a":1}]}')
def test_what_is_no_json_is_refused_as_by_the_strict_reader(text: str) -> None:
    try:
        wanted, code = read_json(text), ""
    except HttpRefusal as refusal:
        wanted, code = None, refusal.code
    assert refusal_of(text.encode()) == (wanted, code)


@pytest.mark.parametrize("text", ['{"batch":[' * 50_000, '{"batch":' + "[" * 50_000, '{"batch":[' + '{"a":' * 50_000])
def test_endless_nesting_is_refused(text: str) -> None:
    assert refusal_of(text.encode())[1] == "nested_too_deeply"


@pytest.mark.parametrize("escape", ["\\u0000", "\\ud83d", "\\uDC00", "\\ud83d\\ude00"])
def test_escapes_that_may_not_be_stored_ask_for_a_closer_look(escape: str) -> None:
    assert not read_document(b'{"batch":[{"a":"' + escape.encode() + b'"}]}').fit
    assert read_document(b'{"batch":[{"a":"\\u00e9 \\n \xc3\xa9 \xf0\x9f\x98\x80"}]}').fit
