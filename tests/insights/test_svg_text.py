"""Text in boxes: wrapped lines fit, and nothing is lost but what had to be."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.insights.svg_text import Font, text_width, visible, wrapped

FONTS = st.sampled_from([Font(14, bold=True), Font(12, mono=True), Font(12)])


@given(st.text(max_size=300), FONTS, st.floats(40, 400), st.integers(1, 6))
def test_lines_fit(text: str, font: Font, widest: float, most: int) -> None:
    lines = wrapped(text, font, widest, most)
    assert 1 <= len(lines) <= most
    for line in lines:
        assert len(line) == 1 or text_width(line, font) <= widest + 1e-6
        assert line == "" or line.isprintable()


@given(st.text(max_size=200), FONTS)
def test_nothing_is_lost_where_there_is_room(text: str, font: Font) -> None:
    lines = wrapped(text, font, 300, 1_000)
    assert "".join(lines).replace(" ", "") == visible(text).replace(" ", "")


def test_chinese_counts_double() -> None:
    assert text_width("双十一", Font(12, mono=True)) == 2 * text_width("abc", Font(12, mono=True))


def test_what_does_not_fit_ends_in_an_ellipsis() -> None:
    assert wrapped("word " * 40, Font(12, mono=True), 100, 2)[-1].endswith("…")


def test_what_hides_or_turns_text_is_taken_out() -> None:
    assert visible("a\u202eb\x00c\nd") == "a b c d"
