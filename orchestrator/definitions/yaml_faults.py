"""What the YAML parser could not read, in words that help: from its errors to our problems.

The parser reports where it gave up, which is often one line behind the mistake; the line itself tells what was meant.
"""

from __future__ import annotations

import re

from yaml import YAMLError
from yaml.error import Mark as YamlMark
from yaml.error import MarkedYAMLError

from orchestrator.definitions import expression_cut as cut
from orchestrator.definitions.faults import listed
from orchestrator.errors import Problem
from orchestrator.records import dataclass

SYNTAX = "yaml_syntax"
_VALUE = re.compile(r"^(?P<lead>[ ]*(?:-[ ]+)*)(?P<key>[^\s:#'\"{\[][^:#]*):[ ]+(?P<value>\S.*)$")
_QUOTED_MORE = re.compile(r"""^(?:"(?:[^"\\]|\\.)*"|'(?:[^']|'')*')\s*(?P<more>\S.*)?$""")
_NO_SPACE = re.compile(r"^[ ]*(?:-[ ]+)*(?P<key>[A-Za-z_][\w.]*):(?P<value>[^\s/:].*)$")
_WORD = re.compile(r"\s*[\w.-]+")
_DASH_WORD = re.compile(r"^[ ]*-(?P<word>[A-Za-z_]\w*)")


@dataclass(frozen=True, slots=True)
class _Place:
    """The line (its number from 1 and text) at which the parser gave up, and the column from 1."""

    line: int
    column: int
    text: str


def translate(path: str, text: str, error: YAMLError) -> Problem:
    """The problem behind a parser's error."""
    mark = (error.problem_mark or error.context_mark) if isinstance(error, MarkedYAMLError) else None
    if not isinstance(error, MarkedYAMLError) or mark is None:
        return Problem(path, 1, 1, SYNTAX, "the file is not valid YAML", "compare it with a file that works")
    lines = text.split("\n")
    place = _place(lines, mark)
    context = _place(lines, error.context_mark) if error.context_mark else None
    said = error.problem or ""
    if "\t" in place.text[: len(place.text) - len(place.text.lstrip())]:
        at = place.text.index("\t") + 1
        return Problem(path, place.line, at, "tab", "a tab stands in the indentation", "indent with spaces only")
    for rule in (_braces, _colon, _block, _flow, _start_character, _unclosed, _scalars, _anchors, _documents):
        if found := rule(path, text, lines, place, context, said):
            return found
    return _at(path, place, SYNTAX, f"the file is not valid YAML here ({said})", "compare it with a line that works")


def braces_problem(path: str, raw: str, key: str | None, line: int, column: int, length: int = 2) -> Problem:
    """`{{ ... }}` without quotes, under `key`: an expression takes no braces, a template is quoted as a whole."""
    inner = raw.split("\n")[0].strip().removeprefix("{{").removesuffix("}}").strip()
    if key in cut.EXPRESSION_KEYS:
        hint = f"write it without braces: {inner}"
        return Problem(
            path, line, column, "braces_in_expression", f"`{key}` is an expression and takes no {{{{ }}}}", hint,
            "error", length,
        )  # fmt: skip
    quoted = raw.split("\n")[0].strip()
    quote = "'" if '"' in quoted else '"'
    message = "a value that starts with {{ is quoted as a whole"
    return Problem(
        path, line, column, "braces_unquoted", message, f"write {quote}{quoted}{quote}", "error", length
    )  # fmt: skip


def _braces(path: str, text: str, lines: list[str], place: _Place, context: _Place | None, said: str) -> Problem | None:
    match = _VALUE.match(place.text)
    if match is None or not match["value"].startswith("{{"):
        return None
    value = re.split(r"\s+#", match["value"])[0].rstrip()
    return braces_problem(path, value, match["key"].strip(), place.line, match.start("value") + 1, len(value))


def _colon(path: str, text: str, lines: list[str], place: _Place, context: _Place | None, said: str) -> Problem | None:
    if "mapping values are not allowed" not in said:
        return None
    match = _VALUE.match(place.text)
    if match is not None and place.column - 1 >= match.start("value"):
        return _at(path, place, cut.CODE, f"the value of `{match['key'].strip()}` is cut at ': '", cut.COLON)
    above = _line_above(lines, place.line)
    if above is not None and (glued := _NO_SPACE.match(above.text)):
        hint = f"write `{glued['key']}: {glued['value'].strip()}`"
        at = _Place(above.line, glued.start("value") + 1, above.text)
        return _at(path, at, SYNTAX, f"a space is missing behind `{glued['key']}:`", hint)
    if above is not None and _indent(place.text) > _indent(above.text):
        deep = _spaces(_indent(place.text))
        message = f"this line stands {deep} in, deeper than the line above, which has a value of its own"
        hint = f"indent it by {_spaces(_column_of_key(above.text))} like the line above"
        return _at(path, _start_of(place), "indentation", message, hint)
    return _at(path, place, SYNTAX, "a colon stands where no key can be", "quote the text as a whole")


def _block(path: str, text: str, lines: list[str], place: _Place, context: _Place | None, said: str) -> Problem | None:
    if "did not find expected key" not in said and "did not find expected '-' indicator" not in said:
        return None
    if place.text[: place.column - 1].strip(" -"):
        return _started_with(path, place)
    if place.text[place.column - 1 :].startswith(":"):
        return _at(path, place, SYNTAX, "there is no key before this colon", "write `key: value`")
    above = _line_above(lines, place.line)
    dash = _DASH_WORD.match(above.text) if above else None
    if above is not None and dash:
        at = _Place(above.line, dash.start("word") + 1, above.text)
        return _at(path, at, SYNTAX, "a space is missing behind the dash", f"write `- {dash['word']}`")
    open_above = listed([str(depth) for depth in _indents_above(lines, place.line)])
    message = f"this line stands {_spaces(_indent(place.text))} in, and lines above stand {open_above} in"
    return _at(path, _start_of(place), "indentation", message, "line it up with one of them")


def _started_with(path: str, place: _Place) -> Problem:
    """A value that starts with a quote or bracket and goes on behind it."""
    match = _VALUE.match(place.text)
    value = match["value"] if match else ""
    if match is not None and value[0] in "[{'\"":
        at = _Place(place.line, match.start("value") + 1, place.text)
        what, hint = ("bracket", cut.BRACKET_START) if value[0] in "[{" else ("quote", cut.QUOTE_START)
        return _at(path, at, cut.CODE, f"the value of `{match['key'].strip()}` is cut at its {what}", hint)
    return _at(path, place, cut.CODE, "the value ends before this", cut.QUOTE_START)


def _flow(path: str, text: str, lines: list[str], place: _Place, context: _Place | None, said: str) -> Problem | None:
    if "did not find expected node content" in said:
        return _unfinished(path, lines, place)
    if context is None or "did not find expected ','" not in said:
        return None
    opener, closer = ("{", "}") if "'}'" in said else ("[", "]")
    inside = place.text[: place.column - 1]
    rest = place.text[place.column - 1 :].lstrip()
    if place.line != context.line and (not inside.strip() or (rest[:1] == ":" and _WORD.fullmatch(inside))):
        message = f"the {opener} of line {context.line}, column {context.column} is not closed before this line"
        hint = f"add the missing {closer}, or the comma between two entries"
        return _at(path, _start_of(place), SYNTAX, message, hint)
    if not rest:
        return _at(path, context, SYNTAX, f"this {opener} is not closed", f"add the missing {closer}")
    raw = inside[context.column - 1 :] if place.line == context.line else inside
    if rest[0] in "[{":
        return _at(path, place, cut.CODE, f"the value is cut at {rest[0]}", cut.BRACKET)
    if cut.open_ended(raw[1:]) or "(" in raw:
        return _at(path, place, cut.CODE, "the expression is cut at a comma before this", cut.COMMA)
    if inside.rstrip().endswith(("'", '"')):
        return _at(path, place, cut.CODE, "the value is cut at its quote", cut.QUOTE_START)
    return _at(path, place, SYNTAX, f"a comma or {closer} is missing before this", "check the brackets and commas")


def _unfinished(path: str, lines: list[str], place: _Place) -> Problem:
    """The file, or a line, ends where brackets still expect a value."""
    rest = place.text[place.column - 1 :].strip()
    if rest:
        return _at(path, place, SYNTAX, f"a value is missing before {rest[0]}", "check the brackets and commas")
    depth = [(number, text.rfind(char)) for number, text in enumerate(lines, 1) for char in "[{" if char in text]
    line, column = max((at for at in depth if at[0] <= place.line), default=(place.line, place.column - 1))
    at = _Place(line, column + 1, lines[line - 1])
    closer = {"{": "}", "[": "]"}.get(at.text[column : column + 1], "bracket")
    return _at(
        path, at, SYNTAX, f"this {at.text[column : column + 1] or 'bracket'} is not closed", f"add the missing {closer}"
    )


def _start_character(
    path: str, text: str, lines: list[str], place: _Place, context: _Place | None, said: str
) -> Problem | None:
    if "cannot start any token" not in said and "expected alphabetic or numeric" not in said:
        return None
    char = place.text[place.column - 1 : place.column]
    if "expected alphabetic or numeric" in said and context is not None:
        place, char = context, context.text[context.column - 1 : context.column]
    return _at(path, place, SYNTAX, f"a value cannot start with {char or 'this'}", "quote the value as a whole")


def _unclosed(
    path: str, text: str, lines: list[str], place: _Place, context: _Place | None, said: str
) -> Problem | None:
    if "unexpected end of stream" not in said and "unexpected document indicator" not in said:
        return None
    at = context or place
    quote = at.text[at.column - 1 : at.column] or "quote"
    return _at(path, at, SYNTAX, f"this {quote} is never closed", f"add the closing {quote}")


def _scalars(
    path: str, text: str, lines: list[str], place: _Place, context: _Place | None, said: str
) -> Problem | None:
    if "could not find expected ':'" in said:
        at = context or place
        if glued := _NO_SPACE.match(at.text):
            hint = f"write `{glued['key']}: {glued['value'].strip()}`"
            place = _Place(at.line, glued.start("value") + 1, at.text)
            return _at(path, place, SYNTAX, f"a space is missing behind `{glued['key']}:`", hint)
        shown = at.text.strip()[:40]
        return _at(path, at, SYNTAX, f"there is no colon behind `{shown}`", "write `key: value`")
    if "unknown escape character" in said or "did not find expected hexdecimal number" in said:
        found = place.text[place.column - 1 : place.column + 1]
        hint = "in double quotes a backslash is written \\\\; in single quotes it is just a backslash"
        return _at(path, place, SYNTAX, f"{found} is no escape", hint)
    if "expected comment or line break" in said or "indentation indicator" in said:
        at = context or place
        char = at.text[at.column - 1 : at.column]
        hint = "quote the value as a whole, or start it on the next line"
        return _at(path, at, cut.CODE, f"{char} starts a text block here, and nothing may stand behind it", hint)
    if "block sequence entries are not allowed" in said:
        return _at(path, place, SYNTAX, "a list starts here, behind a key", "start the list on the next line")
    if "leading space" in said or "leading empty line" in said:
        return _at(path, place, "indentation", "an empty line has more spaces than the text below", "delete the spaces")
    return None


def _anchors(
    path: str, text: str, lines: list[str], place: _Place, context: _Place | None, said: str
) -> Problem | None:
    if "undefined alias" in said:
        hint = "text that starts with * is quoted as a whole"
        return _at(path, place, SYNTAX, "this alias (*name) has no anchor (&name) above it", hint)
    if "second occurrence" in said and context is not None:
        message = f"this anchor (&name) is set twice; first in line {context.line}, column {context.column}"
        return _at(path, place, SYNTAX, message, "give one of them another name")
    if re.search(r"\btag\b", said):
        return _at(path, place, "yaml_tag", "tags (!name) are not read", "text that starts with ! is quoted as a whole")
    return None


def _documents(
    path: str, text: str, lines: list[str], place: _Place, context: _Place | None, said: str
) -> Problem | None:
    if "another document" in said:
        hint = "delete this line, or move what follows into a file of its own"
        return _at(path, place, "multiple_documents", "a second document starts here (---)", hint)
    if "document start" in said or "directive" in said:
        hint = "text that starts with % is quoted; brackets must match"
        return _at(path, place, SYNTAX, "nothing more is expected here", hint)
    return None


def _place(lines: list[str], mark: YamlMark) -> _Place:
    line, column = mark.line, mark.column
    if line >= len(lines):
        line, column = len(lines) - 1, len(lines[-1])
    while line > 0 and not lines[line] and line == len(lines) - 1:
        line -= 1
        column = len(lines[line])
    return _Place(line + 1, column + 1, lines[line])


def _line_above(lines: list[str], line: int) -> _Place | None:
    for number in range(line - 1, 0, -1):
        text = lines[number - 1]
        if text.strip() and not text.lstrip().startswith("#"):
            return _Place(number, 1, text)
    return None


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _column_of_key(line: str) -> int:
    """How far in the key of a line stands, behind its dashes."""
    return len(line) - len(line.lstrip(" -"))


def _indents_above(lines: list[str], line: int) -> list[int]:
    """How far in the lines stand, from the line above outwards, that a line can belong to."""
    found: list[int] = []
    while (above := _line_above(lines, line)) is not None:
        line = above.line
        for depth in sorted({_column_of_key(above.text), _indent(above.text)}, reverse=True):
            if not found or depth < min(found):
                found.append(depth)
        if found and min(found) == 0:
            break
    return sorted(found)


def _spaces(count: int) -> str:
    return "1 space" if count == 1 else f"{count} spaces"


def _start_of(place: _Place) -> _Place:
    return _Place(place.line, _indent(place.text) + 1, place.text)


def _at(path: str, place: _Place, code: str, message: str, hint: str) -> Problem:
    return Problem(path, place.line, place.column, code, message, hint)
