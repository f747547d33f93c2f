"""YAML 1.2 as the loader reads it, and the bounds that hostile text runs into."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definitions.source import Document
from orchestrator.definitions.yaml_loader import MOST_ALIASED, load_document


def load(text: str) -> Document:
    return load_document("a.yaml", text)


def codes(text: str) -> list[str]:
    return [problem.code for problem in load(text).problems]


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("no", "no"), ("on", "on"), ("yes", "yes"), ("18:00", "18:00"), ("2026-03-01", "2026-03-01"),
        ("2026-03-01T10:00:00Z", "2026-03-01T10:00:00Z"), ("010", 10), ("-7", -7), ("+3", 3), ("0o17", 15),
        ("0x1F", 31), ("1_000", "1_000"), ("1.10", 1.1), ("1e5", 100000.0), (".5", 0.5), ("1.", 1.0), ("1e", "1e"),
        ("true", True), ("FALSE", False), ("tRue", "tRue"), ("~", None), ("null", None), ("", None), ("nil", "nil"),
        ("'10'", "10"), ('"true"', "true"), ("''", ""), ("0b11", "0b11"), ("=", "="), ("- 3", [3]), ("3d", "3d"),
        ("9223372036854775807", 2**63 - 1), ("-9223372036854775808", -(2**63)), ("1.2.3", "1.2.3"), ("٣", "٣"),
    ],
)  # fmt: skip
def test_scalars_are_what_they_look_like(written: str, read: object) -> None:
    document = load(f"a:\n  {written}\n")
    assert document.data == {"a": read}
    assert type(document.data["a"]) is type(read)
    assert document.problems == ()


def test_keys_are_text_as_they_stand() -> None:
    assert load("007: a\ntrue: b\n1e5: c\n~: d\n").data == {"007": "a", "true": "b", "1e5": "c", "~": "d"}


def test_source_text_of_bare_ids_is_kept() -> None:
    document = load("customers:\n  - {id: 007}\n  - id: 1e5\n  - id: 12e4567\n  - id: 99999999999999999999\n")
    assert [document.scalar_source(("customers", i, "id")).text for i in range(4)] == [
        "007", "1e5", "12e4567", "99999999999999999999"
    ]  # fmt: skip
    assert document.problems == ()
    with pytest.raises(KeyError):
        document.scalar_source(("customers", 0))


def test_scalar_styles() -> None:
    document = load("a: x\nb: 'x'\nc: \"x\"\nd: |\n  x\ne: >-\n  x\n")
    assert [document.scalar_source((key,)).style for key in "abcde"] == [
        "plain", "single", "double", "literal", "folded"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a: .nan", "number_range"), ("a: -.INF", "number_range"), ("a: 1e999", "number_range"),
        ("a: 9223372036854775808", "number_range"), ("a: " + "9" * 5000, "number_range"),
        ("a: 1\na: 2", "duplicate_key"), ("{a: 1, 'a': 2}", "duplicate_key"), ("1: a\n'1': b", "duplicate_key"),
        ("a: &x {b: 1}\nc: {<<: *x}", "merge_key"), ("a: !!python/object:os.system x", "yaml_tag"),
        ("--- a\n--- b", "multiple_documents"), ("a: *missing", "yaml_syntax"), ("a: &x [*x]", "alias_bound"),
        ("a: b\0c", "control_character"), ('a: "\\0"', "control_character"), ('"\\x07": 1', "control_character"),
        ("a: \u2028", "control_character"), ("a: \ud800", "control_character"), ("a\ufeff: 1", "control_character"),
        ("a:\n\tb: 1", "tab"), ("[" * 70 + "]" * 70, "nesting"), ("? [a]\n: b", "complex_key"),
        ("#" * (1024 * 1024 + 1), "file_too_large"),
        ("{" + "a," * 500_000, "file_too_large"),
        ("é" * (600 * 1024), "file_too_large"),
        ("a: [1, 2\n", "yaml_syntax"), ("a: 'x", "yaml_syntax"), ("@", "yaml_syntax"),
        ("%YAML 9.9\n---\n", "yaml_syntax"),
    ],
)  # fmt: skip
def test_refused_with_a_code_and_a_way_out(text: str, code: str) -> None:
    problems = load(text).problems
    assert code in [problem.code for problem in problems]
    for problem in problems:
        assert problem.hint
        assert problem.line >= 1 and problem.column >= 1


def test_duplicate_keys_name_both_places_and_the_first_stands() -> None:
    document = load("a: 1\nb: 2\na: 3\n")
    (problem,) = document.problems
    assert (problem.line, problem.column) == (3, 1)
    assert "line 1, column 1" in problem.message
    assert document.data == {"a": 1, "b": 2}


def test_windows_files_are_read_with_a_warning_and_true_positions() -> None:
    document = load("\ufeffa: 1\r\nb: 2\r\n")
    assert document.data == {"a": 1, "b": 2}
    assert [(p.code, p.severity) for p in document.problems] == [
        ("byte_order_mark", "warning"), ("line_ends", "warning")
    ]  # fmt: skip
    assert document.ok
    assert document.position(("b",), key=True) == (2, 1, 1)
    assert document.position(("a",), key=True) == (1, 1, 1)


def test_empty_files_are_no_problem_of_reading() -> None:
    for text in ("", "# only a comment\n", "---\n"):
        document = load(text)
        assert document.data is None
        assert document.ok


@pytest.mark.parametrize("opener", ["[", "{", "- ", "? ", '["]",', "[a: ", "{a: ", "[{a: "])
def test_deep_nesting_never_reaches_the_tree_builder(opener: str) -> None:
    assert codes("a: " + opener * (900_000 // len(opener)) if opener[0] in "[{" else opener * 400_000) == ["nesting"]


def test_nesting_by_indentation() -> None:
    deep = "\n".join(" " * depth + "a:" for depth in range(1400))
    assert codes(deep) == ["nesting"]
    assert codes("\n".join(" " * depth + "a:" for depth in range(60))) == []


def test_alias_bomb() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]
    (problem,) = load("\n".join(lines)).problems
    assert problem.code == "alias_bound"
    assert f"{MOST_ALIASED:,}" in problem.message


def test_alias_towers_are_bounded_in_height() -> None:
    lines = ["a0: &a0 " + "[" * 40 + "]" * 40, "a1: &a1 " + "[" * 30 + "*a0" + "]" * 30]
    assert codes("\n".join(lines)) == ["alias_bound"]


def test_honest_aliases_are_expanded() -> None:
    document = load("a: &days [mon, tue]\nb: {on: *days}\n")
    assert document.data == {"a": ["mon", "tue"], "b": {"on": ["mon", "tue"]}}
    assert document.ok


def test_a_hostile_number_of_mistakes_ends_reading() -> None:
    problems = load("\n".join("a: 1" for _ in range(5000))).problems
    assert len(problems) <= 101
    assert problems[-1].code == "too_many_problems"


@given(st.text(max_size=200))
def test_any_text_gives_a_document(text: str) -> None:
    document = load(text)
    lines = document.text.split("\n")
    for problem in document.problems:
        assert 1 <= problem.line <= max(1, len(lines))
        assert problem.column >= 1
        assert problem.message and problem.code


_PIECES = st.sampled_from(
    ["a", "- ", ": ", ":", "{", "}", "[", "]", ", ", "'", '"', "\n", "\n  ", "\n    ", " #", "&x ", "*x", "!t ", "|\n",
     ">-\n", "<<", "? ", "{{ x }}", "\t", "%", "@", "\\", "if: ", "count('x', y=1)", "1", "~", "---\n", "é", "中"]
)  # fmt: skip


@given(st.lists(_PIECES, max_size=40).map("".join))
def test_anything_that_looks_like_yaml_gives_a_document(text: str) -> None:
    document = load(text)
    assert document.data is not None or document.problems or document.root is None or document.ok
    for problem in document.problems:
        assert problem.line >= 1 and problem.column >= 1
