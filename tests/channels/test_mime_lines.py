"""Lines of quoted-printable: none is too long, none ends within what stands for a character, and all is read back."""

from __future__ import annotations

from quopri import decodestring

from hypothesis import given
from hypothesis import strategies as st

from orchestrator.channels.mime_bodies import _coded


@given(st.text("ab =.3D<>é\n", max_size=400))
def test_whatever_is_coded_is_read_back(text: str) -> None:
    coded = _coded(text)
    assert decodestring(coded) == text.replace("\n", "\r\n").encode()
    for line in coded.split(b"\r\n"):
        assert len(line) <= 78 and not line.endswith((b" ", b"\t")) and line != b"."


@given(st.text("ab =.3D<>", max_size=400))
def test_no_line_of_plain_text_has_more_than_76_characters(text: str) -> None:
    assert max(map(len, _coded(text).split(b"\r\n"))) <= 76
