"""Template fields are cut at their braces: quotes and brackets of the expression hide what looks like an end."""

from __future__ import annotations

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from orchestrator.definitions.compiler.template_text import Hole, Miswritten, cut


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("plain", ["plain"]),
        ("{{ a.b }}", [Hole("a.b", 3)]),
        ("x {{a}} y {{ b }}", ["x ", Hole("a", 4), " y ", Hole("b", 13)]),
        ("{{ '}}' ~ \"{{\" }}", [Hole("'}}' ~ \"{{\"", 3)]),
        ("{{ 'it\\'s }}' }}", [Hole("'it\\'s }}'", 3)]),
        ("{{ {'a': {'b': 1}} }}", [Hole("{'a': {'b': 1}}", 3)]),
        ('{"a": {"b": "{{ x }}"}}', ['{"a": {"b": "', Hole("x", 16), '"}}']),
        ("100 % {off}", ["100 % {off}"]),
    ],
)
def test_pieces_in_order_with_their_places(text, pieces):
    assert cut(text) == pieces


@pytest.mark.parametrize(
    ("text", "code", "offset"),
    [
        ("a {% if x %}", "template_block", 2),
        ("{# note #}", "template_block", 0),
        ("Hi {{ name", "template_braces", 3),
        ("Hi {{ 'name }}", "template_braces", 3),
        ("{{ }}", "template_braces", 0),
        ("{{- a }}", "template_braces", 0),
        ("{{ a -}}", "template_braces", 0),
    ],
)
def test_what_is_no_template_is_refused_with_a_way_out(text, code, offset):
    with pytest.raises(Miswritten) as refused:
        cut(text)
    assert (refused.value.code, refused.value.offset) == (code, offset)
    assert refused.value.hint


@given(st.text(alphabet="ab {}%#'\"-\\", max_size=30))
def test_any_text_is_cut_or_refused_and_nothing_is_lost(text):
    try:
        pieces = cut(text)
    except Miswritten as refused:
        event(refused.code)
        return
    at = 0
    for piece in pieces:
        if isinstance(piece, Hole):
            assert text[piece.offset : piece.offset + len(piece.source)] == piece.source
            at = text.index("}}", piece.offset + len(piece.source)) + 2
        else:
            assert text[at : at + len(piece)] == piece
            at += len(piece)
    assert at == len(text)
