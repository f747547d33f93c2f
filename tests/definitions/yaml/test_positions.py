"""From paths and offsets to places in the file."""

from __future__ import annotations

import pytest
import yaml
from hypothesis import assume, given
from hypothesis import strategies as st

from orchestrator.definitions.source import Mark
from orchestrator.definitions.yaml_loader import load_document

TEXT = """\
journey: 中文
enter: {event: cart_updated, where: event.x > 2}
steps:
  - email: cart_first
  - if: entry.total
      > 200 and
      entry.x
    then:
      - sms:
"""


def test_values_and_keys() -> None:
    document = load_document("a.yaml", TEXT)
    assert document.position(("journey",)) == Mark(1, 10, 2)
    assert document.position(("enter",)) == Mark(2, 8, 41)
    assert document.position(("enter", "where")) == Mark(2, 37, 11)
    assert document.position(("enter", "where"), key=True) == Mark(2, 30, 5)
    assert document.position(("steps", 0, "email")) == Mark(4, 12, 10)
    assert document.position(("steps", 1)) == Mark(5, 5, 2)
    assert document.position(("steps", 1, "then"), key=True) == Mark(8, 5, 4)


def test_a_missing_value_is_at_its_key_and_a_missing_key_at_its_mapping() -> None:
    document = load_document("a.yaml", TEXT)
    assert document.position(("steps", 1, "then", 0, "sms")) == Mark(9, 9, 3)
    assert document.position(("enter", "nothing")) == Mark(2, 8, 41)
    assert document.position(("nothing", 3, "x")) == Mark(1, 1, 7)
    assert load_document("a.yaml", "").position(("a",)) == Mark(1, 1, 1)


def test_paths_of_normalised_models_lead_to_what_stands_there() -> None:
    document = load_document("a.yaml", TEXT)
    assert document.position(("enter", 0, "where")) == document.position(("enter", "where"))
    assert document.position(("steps", 0, "email", "template")) == document.position(("steps", 0, "email"))


def test_offsets_in_folded_plain_text() -> None:
    document = load_document("a.yaml", TEXT)
    path = ("steps", 1, "if")
    value = document.scalar_source(path).text
    assert value == "entry.total > 200 and entry.x"
    assert document.offset_position(path, value.index("total")) == (5, 15)
    assert document.offset_position(path, value.index(">")) == (6, 7)
    assert document.offset_position(path, value.index("entry.x")) == (7, 7)


def test_offsets_through_quotes_and_escapes() -> None:
    document = load_document(
        "a.yaml", "a: \"x \\u00e9\\n\\\"y\\\" z\"\nb: 'it''s here'\nc: >-\n\n  one\n  two\n\n  three\n"
    )
    text = document.scalar_source(("a",)).text
    assert text == 'x é\n"y" z'
    assert document.offset_position(("a",), text.index("é")) == (1, 7)
    assert document.offset_position(("a",), text.index("z")) == (1, 21)
    assert document.offset_position(("b",), "it's here".index("here")) == (2, 11)
    text = document.scalar_source(("c",)).text
    assert document.offset_position(("c",), text.index("two")) == (6, 3)
    assert document.offset_position(("c",), text.index("three")) == (8, 3)
    assert document.offset_position(("c",), len(text)) == (8, 8)


_WORDS = st.lists(st.text(alphabet="abcé中'\"\\{}:#,>|", min_size=1, max_size=12), min_size=1, max_size=30)


@pytest.mark.parametrize("style", [None, "'", '"', "|", ">"])
@given(words=_WORDS, breaks=st.sampled_from([" ", "\n", "\n\n"]), width=st.integers(20, 80))
def test_every_visible_character_is_found_where_it_stands(
    style: str | None, words: list[str], breaks: str, width: int
) -> None:
    text = breaks.join(words)
    source = yaml.dump(
        {"k": {"v": text}}, default_style=style, width=width, allow_unicode=True, default_flow_style=False
    )
    document = load_document("a.yaml", source)
    assume(document.ok)
    key, inner = next(iter(document.data.items()))
    value_key = next(iter(inner))
    value = document.scalar_source((key, value_key)).text
    assert value == text
    for offset, char in enumerate(value):
        if char.isspace():
            continue
        line, column = document.offset_position((key, value_key), offset)
        found = document.lines[line - 1][column - 1]
        assert found == char or found == "\\"
