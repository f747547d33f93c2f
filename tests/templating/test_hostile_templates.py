"""Hostile templates and data: refused before anything runs, or stopped by a counted bound; never a traceback."""

from __future__ import annotations

from html.parser import HTMLParser
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jinja2.exceptions import SecurityError

from orchestrator.templating.environment import HTML, TEXT
from orchestrator.templating.failure import RenderError, ValueRefused
from orchestrator.templating.loading import load_template_files
from orchestrator.templating.render import Rendered, Renderer

BRAND: dict[str, object] = {"name": "Blue Harbour", "url": "https://example.com", "address": "1 Harbour Road"}
THOUSAND = list(range(1000))


def problems(text: str, path: str = "sms/a.txt") -> list[str]:
    """The codes of the errors in one file."""
    return [problem.code for problem in load_template_files({path: text}).problems if problem.severity == "error"]


def rendered(text: str, values: dict[str, Any], path: str = "sms/a.txt", **extras: Any) -> Rendered:
    """One file rendered with values by key."""
    library = load_template_files({path: text})
    assert not [problem for problem in library.problems if problem.severity == "error"], library.problems
    return Renderer(library, BRAND).render(library.variants()[0], values, extras)


ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ customer['__class__'] }}",
    "{{ customer | attr('__class__') }}",
    "{{ '%s' | format(1) }}",
    "{{ '{0.__class__}'.format(customer) }}",
    "{{ 9 ** 9 ** 9 }}",
    "{{ range(1000000) }}",
    "{% for x in range(10) %}{% endfor %}",
    "{{ lipsum() }}",
    "{{ cycler('a') }}",
    "{{ joiner() }}",
    "{{ namespace(x=1) }}",
    "{{ dict(a=1) }}",
    "{{ self.x() }}",
    "{{ _u0 }}",
    "{% set _preheader = 1 %}",
    "{{ x | _url }}",
    "{% include '/etc/passwd' %}",
    "{% include '../../secrets.txt' %}",
    "{% include ['a', 'b'] %}",
    "{% import '_a.txt' as a %}",
    "{% from '_a.txt' import b %}",
    "{% extends '_a.txt' %}",
    "{% macro a() %}{{ a() }}{% endmacro %}{{ a() }}",
    "{% for x in y recursive %}{{ loop(x) }}{% endfor %}",
    "{% autoescape false %}{{ x }}{% endautoescape %}",
    "{{ x | safe }}",
    "{% call x() %}{% endcall %}",
    "{{ (" * 1 + "(" * 5000 + ")" * 5001 + " }}",
    "{{ " + "not " * 3000 + "x }}",
    "{{ " + "-" * 1500 + "1 }}",
    "{{ x" + " | upper" * 700 + " }}",
    "{{ x" + "[x" * 40 + "]" * 40 + " }}",
    "{% if x %}" * 500 + "{% endif %}" * 500,
    "{% for x in y %}" * 25 + "{% endfor %}" * 25,
    "{{ " + "9" * 5000 + " }}",
    "{{ 1e999 }}",
    "{{ 'a' if }}",
    "{{",
    "{%",
    "{#",
    "{{ '\\x' }}",
]


class Opaque:
    """Something that is not plain data, with a name that is the same in every process."""

    def __repr__(self) -> str:
        return "Opaque()"


@pytest.mark.parametrize("text", ESCAPES, ids=lambda text: text[:30])
def test_escapes_are_refused_at_load_with_a_place(text: str) -> None:
    found = load_template_files({"sms/a.txt": text}).problems
    assert found
    for problem in found:
        assert problem.path == "templates/sms/a.txt"
        assert problem.line == 1
        assert 1 <= problem.column <= len(text) + 1


@pytest.mark.parametrize(
    ("text", "values", "reason"),
    [
        ("{% for a in x %}{% for b in x %}.{% endfor %}{% endfor %}", {"x": THOUSAND}, "100,000 steps"),
        ("{% for a in x %}{{ y }}{% endfor %}", {"x": THOUSAND, "y": "z" * 9000}, "grows past 200,000"),
        ("{% for a in x %}{% for b in x %}{{ x | sort | length }}{% endfor %}{% endfor %}", {"x": THOUSAND}, "steps"),
        ("{% set a = x ~ x %}" + "{% set a = a ~ a %}" * 40 + "{{ a }}", {"x": "abc"}, "more than 10000"),
        ("{% set a = [1] %}" + "{% set a = [a, a] %}" * 40 + "{{ a }}", {}, "texts and numbers only"),
        ("{{ 'a' * 10000000000 }}", {}, "no meaning"),
        ("{{ x | replace('a', 'bbbbbbbb') }}", {"x": "a" * 9000}, "72000 characters"),
        ("{{ x | date('%0100000000d') }}", {"x": "2026-01-01"}, "%0"),
        ("{{ x }}", {"x": {"a": {"b": 1}}}, "an object cannot be written"),
        ("{{ x }}", {"x": Opaque()}, "only plain data"),
        ("{{ x }}", {"x": float("nan")}, "not a number"),
        ("{% for i in x %}{{ i.a.b.c }}{% endfor %}", {"x": [{"a": 1}]}, "no property 'b'"),
        ("{% for i in x %}{{ i.nothing }}{% endfor %}", {"x": [{"a": 1}]}, "'nothing' has no value"),
        ("{% for i in x %}{{ i }}{% endfor %}", {"x": "text"}, "not a list"),
        ("{% for i in x %}{{ i }}{% endfor %}", {"x": None}, "'x' has no value"),
        ("{{ 1 / 0 }}", {}, "has no value"),
        ("{{ x }}", {}, "not among the message's values"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_data_can_do_is_stopped_with_a_reason_and_a_place(text: str, values: dict[str, Any], reason: str) -> None:
    with pytest.raises(RenderError, match=reason) as caught:
        rendered(text, values)
    assert caught.value.path == "templates/sms/a.txt"
    assert caught.value.line == 1


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("email/a.html", "<style>a{b:c}</style>" + "<div>" * 50_000),
        ("email/a.mjml", "<mjml><mj-body>" + "<mj-wrapper>" * 50_000),
        ("email/a.mjml", "<mjml><mj-body><mj-raw>" + "<b>" * 5000 + "</b>" * 5000 + "</mj-raw></mj-body></mjml>"),
        ("email/a.html", "---\nsubject: " + "[" * 30_000 + "\n---\nx"),
        ("email/a.html", "---\nsubject: " + "x" * 30_000 + "\n---\nx"),
        ("email/a.html", "---\na: &a [1]\nb: [*a, *a]\nsubject: *a\n---\nx"),
        ("email/a.html", "---\n? [x]\n: y\n---\nx"),
        ("email/a.html", "---\nsubject: !!python/object/apply:os.system ['true']\n---\nx"),
    ],
    ids=["html", "mjml", "mjml html", "brackets", "long", "aliases", "list key", "tag"],
)
def test_hostile_files_are_refused_before_a_native_parser_sees_them(path: str, text: str) -> None:
    assert problems(text, path)


def test_elements_left_open_in_a_loop_do_not_reach_the_inliner() -> None:
    text = "---\nsubject: x\n---\n<style>a{b:c}</style>{% for i in x %}<div>{% endfor %}"
    with pytest.raises(RenderError, match="200 deep"):
        rendered(text, {"x": THOUSAND}, "email/a.html")


def test_the_sandbox_alone_holds_without_the_check_at_load() -> None:
    for environment in (HTML, TEXT):
        assert environment.globals == {}
        with pytest.raises(ValueRefused):
            environment.getattr("text", "upper")
        with pytest.raises(ValueRefused):
            environment.getattr([], "append")
        with pytest.raises(ValueRefused):
            environment.getitem(object(), "__class__")
        assert not environment.getattr({"a": 1}, "items")  # a missing property, not the method
        for source in ("x.__class__", "x.append(1)", "x()", "'a' * 10", "x ** 2", "x['__class__']"):
            with pytest.raises((SecurityError, ValueRefused), match=r"property|call|available"):
                environment.from_string("{% if " + source + " %}{% endif %}").render(x=[1])


# --- data is never a template, and never markup -----------------------------------------------------------------------

BODY = """---
subject: "Hi {{ customer.name }}"
preheader: "{{ customer.name }}"
---
%s<p title="{{ customer.name }}">{{ customer.name }}</p>
<table>{% for item in entry.items %}<tr><td>{{ item.name }}</td></tr>{% endfor %}</table>
<a href="https://example.com/{{ customer.name }}?q={{ customer.name }}&amp;r=1#{{ customer.name }}">x</a>
"""
MJML = """---
subject: "Hi {{ customer.name }}"
---
<mjml><mj-body>%s<mj-section><mj-column><mj-text>{{ customer.name }}</mj-text>
{%% for item in entry.items %%}<mj-text>{{ item.name }}</mj-text>{%% endfor %%}
<mj-button href="https://example.com/?q={{ customer.name }}">x</mj-button></mj-column></mj-section></mj-body></mjml>
"""
COLUMNS = "<mj-section>{% for item in entry.items %}<mj-column></mj-column>{% endfor %}</mj-section>"
EMAILS = {
    "plain": ("email/a.html", BODY.replace("%s", "")),
    "inlined": ("email/a.html", BODY.replace("%s", "<style>p { color: red }</style>")),
    "inlined late": (
        "email/a.html",
        BODY.replace("%s", "<style>p { color: red }</style>{% if customer.name %}<div>{% else %}<div>{% endif %}"),
    ),
    "mjml": ("email/a.mjml", MJML % ""),
    "mjml late": ("email/a.mjml", MJML % COLUMNS),
}
NASTY = st.one_of(
    st.text(max_size=30),
    st.sampled_from(
        [
            "{{ 7 * 7 }}",
            "{% if x %}",
            "{# x #}",
            "</p><script>alert(1)</script>",
            '" onmouseover="x',
            "' style='x",
            "--><b>",
            "<!-- ",
            "]]>",
            "</mj-text><mj-raw>",
            "</td></tr></table>",
            "&lt;b&gt;",
            "&#123;&#123; 7 &#125;&#125;",
            "zj0n0z",
            "<!--zj0n1z-->",
            "\x00\x01\x1b\u202e",
            "\ud800",
            "x\r\nBcc: y@example.com",
            "=?utf-8?q?=0D=0ABcc:_y=40example.com?=",
            "&a=b#c%00",
        ]
    ),
)


class Skeleton(HTMLParser):
    """The elements and names of attributes of an HTML text, and its visible text."""

    def __init__(self, html: str) -> None:
        super().__init__(convert_charrefs=True)
        self.shape: list[tuple[str, ...]] = []
        self.seen: list[str] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """See HTMLParser."""
        self.shape.append((tag, *(name for name, _ in attrs)))

    def handle_endtag(self, tag: str) -> None:
        """See HTMLParser."""
        self.shape.append((f"/{tag}",))

    def handle_data(self, data: str) -> None:
        """See HTMLParser."""
        self.seen.append(data)


def values_of(name: str) -> dict[str, Any]:
    """The frozen values of every email above."""
    return {"customer.name": name, "entry.items": [{"name": name}, {"name": "x"}]}


@pytest.mark.parametrize("kind", EMAILS)
@given(name=NASTY)
def test_data_is_never_markup_and_never_a_template(kind: str, name: str) -> None:
    path, text = EMAILS[kind]
    library = load_template_files({path: text})
    assert not [problem for problem in library.problems if problem.severity == "error"]
    renderer = Renderer(library, BRAND)
    variant = library.variants()[0]
    harmless = renderer.render(variant, values_of("word"))
    message = renderer.render(variant, values_of(name))
    assert message == renderer.render(variant, values_of(name))
    assert message.html is not None
    assert harmless.html is not None
    if message.preheader == harmless.preheader or message.preheader:
        assert Skeleton(message.html).shape == Skeleton(harmless.html).shape
    assert message.subject is not None
    assert "\n" not in message.subject
    assert message.subject.encode("utf-8")
    assert "=?" not in message.subject
    if "49" not in name + quote(name, errors="replace"):  # a link holds it percent-encoded
        assert "49" not in "".join(Skeleton(message.html).seen)
        assert "49" not in message.subject + message.text
    assert "\x00" not in message.html + message.text + message.subject


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | NASTY, st.lists, max_leaves=6))
def test_any_plain_value_is_written_or_refused(value: Any) -> None:
    text = "{{ x | default('none') }}|{% if x %}yes{% endif %}|{{ x | length }}|{% for i in x %}.{% endfor %}|{{ x }}"
    library = load_template_files({"sms/a.txt": text})
    try:
        message = Renderer(library, BRAND).render(library.variants()[0], {"x": value})
    except RenderError:
        return
    assert value is not None
    assert message.text.encode("utf-8").decode() == message.text


@given(st.text(st.sampled_from("{}%#-'\"()[]|.~x1 \n<!>/=a"), max_size=60))
def test_any_text_loads_or_has_problems_with_places(text: str) -> None:
    for path in ("sms/a.txt", "email/a.html", "email/a.mjml", "push/a.yaml"):
        library = load_template_files({path: text})
        lines = text.count("\n") + 1
        assert all(1 <= problem.line <= lines + 1 for problem in library.problems)
        for variant in library.variants():
            try:
                Renderer(library, BRAND).render(variant, {key: "v" for key, _ in variant.uses})
            except RenderError:
                continue
