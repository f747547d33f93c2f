"""Templates that are YAML files: what they may hold, what is wrong with one, and what comes out."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.definitions.json_schema import SCHEMAS
from orchestrator.templating.failure import RenderError
from orchestrator.templating.loading import load_template_files
from orchestrator.templating.render import Rendered, Renderer
from orchestrator.templating.structured import KEYS, LARGEST, expiry_of, nested, seconds_of

PUSH = "title: x\nbody: y\n"


def problems(channel: str, text: str) -> list[tuple[int, int, str]]:
    """(line, column, code) of each."""
    library = load_template_files({f"{channel}/a.yaml": text})
    return [(problem.line, problem.column, problem.code) for problem in library.problems]


def hints(channel: str, text: str) -> str:
    found = load_template_files({f"{channel}/a.yaml": text}).problems
    return " ".join(f"{problem.message} {problem.hint}" for problem in found)


def render(
    channel: str, text: str, locale: str | None = None, more: dict[str, str] | None = None, **values: Any
) -> Rendered:
    library = load_template_files({f"{channel}/a.yaml": text, **(more or {})})
    assert not library.problems, [problem.headline() for problem in library.problems]
    variant = library.pick(channel, "a", locale)
    assert variant is not None
    frozen = {key: values.get(key.rpartition(".")[2]) for key, _ in variant.uses}
    return Renderer(library, {"name": "Harbour"}).render(variant, frozen)


@pytest.mark.parametrize("channel", sorted(KEYS))
def test_editors_know_the_same_keys(channel: str) -> None:
    assert {name.rstrip("_") for name in SCHEMAS[f"{channel}_template"].model_fields} == KEYS[channel].keys()


@pytest.mark.parametrize(
    ("channel", "text", "found"),
    [
        ("push", "title: x\n", (1, 1, "missing_key")),
        ("push", "title: x\nbody:\n", (2, 1, "missing_key")),
        ("inbox", "body: x\n", (1, 1, "missing_key")),
        ("push", PUSH + "colapse: a\n", (3, 1, "unknown_front_matter")),
        ("push", PUSH + "title: z\n", (3, 1, "duplicate_key")),
        ("push", PUSH + "data: x\n", (3, 7, "front_matter")),
        ("push", PUSH + "data: {a: [x]}\n", (3, 11, "front_matter")),
        ("push", PUSH + "data: {a: x, a: y}\n", (3, 14, "duplicate_key")),
        ("push", PUSH + "data: {google.x: y}\n", (3, 8, "front_matter")),
        ("push", PUSH + "data: {from: y}\n", (3, 8, "front_matter")),
        ("push", PUSH + "ttl: soon\n", (3, 6, "bad_value")),
        ("push", PUSH + "ttl: 1mo\n", (3, 6, "bad_value")),
        ("push", PUSH + "urgency: urgent\n", (3, 10, "bad_value")),
        ("push", PUSH + f"collapse: {'x' * 65}\n", (3, 11, "bad_value")),
        ("push", PUSH + "url: javascript:alert(1)\n", (3, 6, "bad_value")),
        ("push", f"title: x\nbody: {'y' * LARGEST['push']}\n", (1, 1, "too_long")),
        ("push", "title: {{ x }}\nbody: y\n", (1, 8, "front_matter")),
        ("push", "title: '{{ x'\nbody: y\n", (1, 9, "template_syntax")),
        ("push", "- x\n", (1, 1, "front_matter")),
        ("push", "title: Order #5\nbody: y\n", None),
        ("push", "title: x\nbody: y\ntopic: '{{ x }}'\n", (3, 9, "template_syntax")),
        ("whatsapp", "parameters: [x]\n", (1, 1, "missing_key")),
        ("whatsapp", "template: x\n", (1, 1, "missing_key")),
        ("whatsapp", "template: x\nlanguage: de\nheader: {picture: x}\n", (3, 10, "unknown_front_matter")),
        ("whatsapp", "template: x\nlanguage: de\nbuttons: [x]\n", (3, 11, "front_matter")),
        ("whatsapp", "template: x\nlanguage: de\nparameters: [[x]]\n", (3, 14, "front_matter")),
        ("wechat", "template: x\n", (1, 1, "missing_key")),
        ("wechat", "body: x\nminiprogram: {app: x}\n", (2, 15, "unknown_front_matter")),
        ("inbox", PUSH + "expires: 2026-13-01T00:00:00Z\n", (3, 10, "bad_value")),
    ],
)
def test_problems_stand_where_they_are(channel: str, text: str, found: tuple[int, int, str] | None) -> None:
    told = problems(channel, text)
    if found is None:
        assert [code for _, _, code in told] == ["expression_cut"] or told == []
    else:
        assert found in told


def test_a_near_word_is_offered() -> None:
    assert "did you mean 'collapse'" in hints("push", PUSH + "colapse: a\n")
    assert "did you mean 'image'" in hints("whatsapp", "template: x\nlanguage: de\nheader: {imgae: x}\n")


def test_values_stay_what_is_written() -> None:
    """A `no`, a number, a date: texts, as they stand."""
    found = render("push", PUSH + "data: {a: no, b: 010, c: 2026-01-01, d: '', e: on}\n")
    assert nested(dict(found.fields)) == {"data": {"a": "no", "b": "010", "c": "2026-01-01", "d": "", "e": "on"}}


def test_translations_and_their_fallback() -> None:
    more = {"push/a.zh.yaml": "title: 您好\nbody: 您的早餐\n"}
    assert render("push", PUSH, "zh-Hans-CN", more).subject == "您好"
    assert render("push", PUSH, "de", more).subject == "x"


def test_a_value_cannot_write_yaml_or_tags() -> None:
    text = "title: 'Hi {{ customer.name }}'\nbody: y\ndata: {n: '{{ customer.name }}'}\n"
    evil = "x\ny: z\n{{ customer.email }} '\"}"
    found = render("push", text, name=evil)
    assert found.subject == "Hi x y: z {{ customer.email }} '\"}"
    assert nested(dict(found.fields)) == {"data": {"n": evil}}


@pytest.mark.parametrize(
    ("value", "link"),
    [
        ("https://example.com/a?b=c#d", "https://example.com/a?b=c#d"),
        ("harbour://table/7", "harbour://table/7"),
        ("https://example.com/a b\r\nX: y", "https://example.com/a%20b%0AX:%20y"),
        ("https://example.com/早餐", "https://example.com/%E6%97%A9%E9%A4%90"),
        ("javascript:alert(1)", None),
        (" JavaScript:alert(1)", None),
        ("data:text/html,x", None),
        ("java\tscript:alert(1)", "java%09script:alert(1)"),
    ],
)
def test_links(value: str, link: str | None) -> None:
    text = "title: x\nbody: y\nurl: '{{ customer.link }}'\n"
    if link is None:
        with pytest.raises(RenderError, match="a link cannot begin with"):
            render("push", text, link=value)
    else:
        assert dict(render("push", text, link=value).fields) == {"url": link}


def test_what_people_are_shown_of_a_template_of_a_provider() -> None:
    assert render("whatsapp", "template: x\nlanguage: de\nparameters: [a, b]\n").text == "a\nb"
    assert render("whatsapp", "template: x\nlanguage: de\nparameters: [a, b]\nbody: Hello a\n").text == "Hello a"
    assert render("whatsapp", "template: x\nlanguage: de\n").text == ""
    assert render("wechat", "template: x\ndata: {thing1: a, time2: b}\n").text == "a\nb"


def test_times() -> None:
    assert (seconds_of("12h"), seconds_of(" 90 "), seconds_of("1d")) == (43_200, 90, 86_400)
    assert expiry_of("7d") == timedelta(days=7)
    assert expiry_of("2026-03-02T10:00:00Z") == datetime(2026, 3, 2, 10, tzinfo=UTC)


NAMES = st.text("abcXYZ09_-", min_size=1, max_size=5)


@given(st.dictionaries(NAMES.filter(lambda name: not name.isdigit()), st.text(max_size=5), min_size=1, max_size=5),
       st.lists(st.text(max_size=5), min_size=1, max_size=12))  # fmt: skip
def test_what_was_taken_apart_is_put_together(mapping: dict[str, str], listed: list[str]) -> None:
    flat = {f"data.{name}": text for name, text in mapping.items()}
    flat |= {f"parameters.{number}": text for number, text in enumerate(listed)}
    assert nested({"url": "x", **flat}) == {"url": "x", "data": mapping, "parameters": listed}


@given(st.text("ab:{}[]'\"\n -%#&*!|>x", max_size=60))
def test_any_file_is_read(text: str) -> None:
    for channel in KEYS:
        load_template_files({f"{channel}/a.yaml": text})
