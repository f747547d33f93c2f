"""Rows of CSV and JSON Lines: what is read, and what of hostile files is refused with a reason."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from orchestrator.definitions import table_lines
from orchestrator.definitions.table_lines import LONGEST_LINE
from orchestrator.definitions.table_readers import RejectedRow, read_rows
from orchestrator.errors import ProjectInvalid, UsageError


def read(path: Path, raw: bytes) -> tuple[list[dict[str, Any]], list[RejectedRow]]:
    path.write_bytes(raw)
    rejected: list[RejectedRow] = []
    return list(read_rows(path, rejected=rejected.append)), rejected


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_csv(tmp_path: Path, delimiter: str, packed: bool, mark: bytes) -> None:
    text = '\n"a" ,b, Größe \n1,"x;y\t""z"",\n2",北京\n\n3,,5\n'.replace(",", delimiter).replace(
        f'z""{delimiter}', 'z"",'
    )
    raw = mark + text.encode()
    rows, rejected = read(tmp_path / "table.txt", gzip.compress(raw) if packed else raw)
    assert rejected == []
    assert rows == [
        {"a": "1", "b": 'x;y\t"z",\n2', "Größe": "北京", "n": 1},
        {"a": "3", "b": "", "Größe": "5", "n": 2},
    ]


def test_a_column_called_n_has_another_name(tmp_path: Path) -> None:
    assert read(tmp_path / "t.csv", b"n,a\n7,x\n")[0] == [{"column_n": "7", "a": "x", "n": 1}]
    assert read(tmp_path / "t.jsonl", b'{"n": 7}\n')[0] == [{"column_n": 7, "n": 1}]


cells = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)


@given(st.integers(2, 4).flatmap(lambda width: st.lists(st.lists(cells, min_size=width, max_size=width), max_size=6)))
@example([["\r", "\r\n"], ["\n", '"']])
def test_what_was_written_as_csv_is_read(tmp_path_factory: pytest.TempPathFactory, table: list[list[str]]) -> None:
    width = len(table[0]) if table else 2
    names = [f"c{place}" for place in range(width)]
    file = io.StringIO(newline="")
    csv.writer(file, quoting=csv.QUOTE_ALL).writerows([names, *table])
    rows, rejected = read(tmp_path_factory.mktemp("t") / "t.csv", file.getvalue().encode())
    assert rejected == []
    assert [[row[name] for name in names] for row in rows] == table
    assert [row["n"] for row in rows] == list(range(1, len(table) + 1))


plain = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | cells
)
data = st.recursive(
    plain, lambda below: st.lists(below, max_size=3) | st.dictionaries(cells, below, max_size=3), max_leaves=8
)


@given(
    st.lists(st.dictionaries(cells.filter(lambda name: name not in ("n", "column_n")), data, max_size=4), min_size=1)
)
def test_what_was_written_as_json_is_read(
    tmp_path_factory: pytest.TempPathFactory, table: list[dict[str, Any]]
) -> None:
    raw = "".join(json.dumps(row) + "\r\n" for row in table).encode()
    rows, rejected = read(tmp_path_factory.mktemp("t") / "t.jsonl", raw)
    assert rejected == []
    assert [{name: value for name, value in row.items() if name != "n"} for row in rows] == table


@given(
    st.binary(max_size=200),
    st.sampled_from(["t.csv", "t.jsonl", "t.parquet", "t"]),
    st.sampled_from([b"", b"\x1f\x8b", b"PAR1", b"a,b\n", b"{"]),
)
def test_any_bytes_give_rows_or_a_refusal(
    tmp_path_factory: pytest.TempPathFactory, raw: bytes, name: str, start: bytes
) -> None:
    rows: list[dict[str, Any]] = []
    with contextlib.suppress(ProjectInvalid, UsageError):
        rows, _ = read(tmp_path_factory.mktemp("t") / name, start + raw)
    assert all(isinstance(key, str) for row in rows for key in row)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b'{"a": NaN}', "NaN is no JSON number"),
        (b'{"a": -Infinity}', "-Infinity is no JSON number"),
        (b'{"a": 1e999}', "the number 1e999 is too large"),
        (b'{"a": 9223372036854775808}', "does not fit in 64 bits"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "does not fit in 64 bits"),
        (b'{"a": "\\ud800"}', "half of a surrogate pair"),
        (b'{"\\udfff": 1}', "half of a surrogate pair"),
        (b'{"a": ["x", {"b": "\\u0000"}]}', "U+0000"),
        (b"[" * 100_000, "more than 64 levels deep"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "more than 64 levels deep"),
        (b'{"a": ' + b"[" * 65 + b"]" * 65 + b"}", "more than 64 levels deep"),
        (b'{"a": 1', "it is not JSON"),
        (b'{"a": 1} {"b": 2}', "it is not JSON: Extra data at column 10"),
        (b"[1]", "it is not a JSON object"),
        (b"7", "it is not a JSON object"),
        (b'{"a": "\xff"}', "byte 8 of its line is not UTF-8"),
        (b'{"a": "' + b"x" * LONGEST_LINE + b'"}', "longer than 1,048,576 bytes"),
    ],
)
def test_a_hostile_json_line_is_refused_alone(tmp_path: Path, bad: bytes, reason: str) -> None:
    rows, [rejected] = read(tmp_path / "t.jsonl", b'{"a": "\\ud83d\\ude00"}\n\n' + bad + b'\n{"a": 2}\n')
    assert [(row["a"], row["n"]) for row in rows] == [("😀", 1), (2, 3)]
    assert (rejected.row, rejected.line) == (2, 3)
    assert reason in rejected.reason


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (b"1", "it has 1 fields, the header has 2"),
        (b"1,2,3", "it has 3 fields, the header has 2"),
        (b"1,\0", "U+0000"),
        (b"1,\xff", "byte 3 of its line is not UTF-8"),
        (b"1," + b"x" * 200_000, "a field is longer than 131,072 characters"),
        (b"1," + b"x" * (3 * LONGEST_LINE), "longer than 1,048,576 bytes"),
        (b"1\r2,3", "it cannot be read as CSV"),
    ],
)
def test_a_hostile_csv_line_is_refused_alone(tmp_path: Path, bad: bytes, reason: str) -> None:
    rows, [rejected] = read(tmp_path / "t.csv", b"a,b\n1,2\n" + bad + b"\n5,6\n")
    assert [(row["a"], row["n"]) for row in rows] == [("1", 1), ("5", 3)]
    assert (rejected.row, rejected.line) == (2, 3)
    assert reason in rejected.reason


def test_a_quote_left_open_costs_the_rows_that_it_swallows_and_no_more(tmp_path: Path) -> None:
    lines = b"".join(b"%d,%s\n" % (row, b"x" * 100) for row in range(5_000))
    rows, rejected = read(tmp_path / "t.csv", b'a,b\n0,"open\n' + lines)
    assert "a quote may have been left open" in rejected[0].reason
    assert len(rejected) == 1
    assert rows[-1]["a"] == "4999" and len(rows) > 3_000


@pytest.mark.parametrize(
    ("name", "raw", "words"),
    [
        ("t.csv", b"", "no header"),
        ("t.csv", b"\n\n", "no header"),
        ("t.csv", b"a,,c\n", "column 2 has no name"),
        ("t.csv", b"a,b,a\n", "two columns are called 'a'"),
        ("t.csv", b"a,\xff\n", "the header cannot be read"),
        ("t.csv", ",".join(map(str, range(3_000))).encode(), "the header names 3000 columns"),
        ("t.csv", "a,b".encode("utf-16"), "UTF-16"),
        ("t.jsonl", b'[{"a": 1}]', "one JSON array"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 500, mtime=0)[:-10], "ends early"),
        ("t.csv.gz", b"\x1f\x8bnonsense", "cannot be unpacked"),
        ("t.parquet", b"PAR1 and nothing else", "Parquet file cannot be read"),
    ],
)
def test_what_makes_the_whole_table_meaningless(tmp_path: Path, name: str, raw: bytes, words: str) -> None:
    with pytest.raises(ProjectInvalid) as caught:
        read(tmp_path / name, raw)
    [problem] = caught.value.problems
    assert words in problem.message
    assert problem.hint and problem.line >= 1


def test_a_bomb_is_refused_while_it_unpacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_lines, "RATIO_FREE", 1 << 20)
    bombs = [b"a\n" + b"0" * (6 << 20), b"a\n" + b"0\n" * (3 << 20)]
    for bomb in bombs:
        with pytest.raises(ProjectInvalid, match="unpacks to more than 250 times its size"):
            read(tmp_path / "t.csv.gz", gzip.compress(bomb, 6))


def test_a_folder_or_nothing_is_no_table(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(UsageError):
            list(read_rows(path))


def test_the_content_and_not_the_name_tells_the_format(tmp_path: Path) -> None:
    assert read(tmp_path / "t.csv", b'{"a": 1}\n')[0] == [{"a": 1, "n": 1}]
    assert read(tmp_path / "t.data", b"a\n1\n")[0] == [{"a": "1", "n": 1}]
