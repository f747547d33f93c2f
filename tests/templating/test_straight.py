"""Variants without blocks are rendered by one function of their own: it writes what Jinja's code writes, or refuses."""

from __future__ import annotations

from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.templating.compiled import Compiled
from orchestrator.templating.failure import RenderError
from orchestrator.templating.loading import load_template_files, load_templates
from orchestrator.templating.pieces import Atom
from orchestrator.templating.render import Rendered, Renderer
from orchestrator.templating.templates import TemplateLibrary, TemplateVariant
from tests.shipped import ROOT, shipped_project

PROJECTS = (
    "",
    "benchmarks/offer",
    "benchmarks/reminders",
    "orchestrator/project_template",
    "orchestrator/demo/project",
)
BRAND: dict[str, object] = {"name": "Blue & Green", "url": "https://example.com", "address": "1 Harbour Road"}
URL = "https://mail.example.com/u/e1.s.1.AAAA"
EXTRAS: dict[str, Any] = {
    "unsubscribe_url": URL,
    "preferences_url": "https://mail.example.com/p/1?a=1&b=2",
    "view_url": "https://mail.example.com/v/1",
    "message": {"id": "e1.s.1", "channel": "email"},
    "survey": {"name": "nps", "url": "https://mail.example.com/s/1", "links": []},
    "timezone": "Europe/Lisbon",
}

SAID = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        [
            "", " ", "Ana", "您好", "B-1042", "<b>&amp;</b>", '" onclick="x', "a\r\nb", "{{ 7 * 7 }}", "{% if %}",
            "\ud800", "\x00\x1b", "=?utf-8?q?x?=", "javascript:alert(1)", "https://example.org/?a=1&b=2", URL,
            "</body>", "2026-03-01", "2026-03-01T10:00:00Z", "12.50", "x" * 600, "body", "/body>",
        ]
    ),
)  # fmt: skip
PLAIN = st.one_of(
    st.none(),
    SAID,
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.dates(date(1900, 1, 1), date(2200, 1, 1)),
    st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)),
    st.lists(SAID, max_size=3),
    st.dictionaries(st.sampled_from(["a", "url"]), SAID, max_size=2),
)


def libraries() -> list[TemplateLibrary]:
    """Of every project that is shipped."""
    return [load_templates(ROOT / folder) if folder else shipped_project().templates for folder in PROJECTS]


def assert_alike(
    renderer: Renderer, code: Compiled, by_parts: Compiled, values: dict[str, Any], extras: dict[str, Any], footer: bool
) -> None:
    """Both forms write the same, or refuse it with the same words at the same place."""
    wanted = outcome(renderer, by_parts, values, extras, footer)
    assert outcome(renderer, code, values, extras, footer) == wanted
    if code.straight is not None and isinstance(wanted, Rendered):
        code.straight(values, extras)  # it does not need the other form for what can be written


def outcome(
    renderer: Renderer, code: Compiled, values: dict[str, Any], extras: dict[str, Any], footer: bool
) -> Rendered | tuple[str, str, int, int]:
    """What is rendered, or why and where it is refused."""
    try:
        return renderer.fill(code, values, extras, footer)
    except RenderError as error:
        return error.reason, error.path, error.line, error.column


def forms(renderer: Renderer, variant: TemplateVariant) -> tuple[Compiled, Compiled]:
    """The variant with its own function, and by parts alone."""
    by_parts = Compiled(variant)
    assert by_parts.straight is None
    return renderer.compiled(variant), by_parts


@cache
def shipped() -> list[tuple[Renderer, Compiled, Compiled]]:
    """Everything that is shipped, in both forms: made when it is first asked for, because it takes seconds."""
    return [
        (renderer, *forms(renderer, variant))
        for library in libraries()
        for renderer in [Renderer(library, BRAND)]
        for variant in library.variants()
    ]


def test_shipped_variants_without_blocks_have_a_function_of_their_own() -> None:
    for _, code, _ in shipped():
        parts = code.variant.parts
        pieces = [piece for part in (parts.subject, parts.preheader, parts.html, parts.text) for piece in part or ()]
        blocks = any(isinstance(piece, Atom) and piece.kind == "block" for piece in pieces)
        aside = [code.sender, code.reply_to, *code.fields.values()]
        if not blocks and all(part is None or part.constant is not None for part in aside):
            assert code.straight is not None, code.variant.path
    assert sum(code.straight is not None for _, code, _ in shipped()) > len(shipped()) / 2


@given(st.data())
def test_shipped_variants_are_rendered_alike_in_both_forms(data: st.DataObject) -> None:
    renderer, code, by_parts = data.draw(st.sampled_from(shipped()))
    kind = data.draw(st.sampled_from([PLAIN, SAID, st.integers(1, 10**6), st.dates()]))
    values = {key: data.draw(kind) for key, _ in code.variant.uses}
    footer = data.draw(st.booleans())
    assert_alike(renderer, code, by_parts, values, EXTRAS, footer)


EXPRESSIONS = (
    "customer.name", "customer.name | default('dear & guest')", "customer.name | upper | default('x')",
    "customer.name | title", "customer.name | nl2br", "customer.name | escape", "customer.name | urlencode",
    "entry.day | date('%d %B %Y')", "entry.day | datetime('%H:%M')", "entry.total | round(2)", "entry.total + 1",
    "customer.name ~ ' & ' ~ entry.total", "'a' if customer.name else 'b'", "'a' if customer.name",
    "customer.name or '<b>'", "customer.name and brand.name", "not customer.name", "customer.name is none",
    "brand.name", "brand.url", "brand.phone", "brand.phone | default('none')", "brand", "locale", "'<i>'", "1.0",
    "true", "'\\x00'", "1 is odd", "survey.url", "survey.absent", "message.id", "unsubscribe_url", "view_url",
    "preferences_url | upper", "entry.list[0]", "entry.list | join(', ')", "customer.name in ['Ana', 'Bo']",
    "entry.total | default(0) > 3", "message['channel']",
)  # fmt: skip
PLACES = ("{{ X }}", "<p>{{ X }}</p>", '<a href="{{ X }}">x</a>', '<a href="https://x.example/{{ X }}/{{ X }}">x</a>',
          '<a href="https://x.example/?q={{ X }}">x</a>', '<p style="color: {{ X }}">x</p>',
          "<p>{{ X }} {{ X }}</body>", "</{{ X }}>")  # fmt: skip


@given(st.data())
def test_any_variant_is_rendered_alike_in_both_forms(data: st.DataObject) -> None:
    expressions = st.sampled_from(EXPRESSIONS)
    body = "\n".join(
        data.draw(st.sampled_from(PLACES)).replace("X", data.draw(expressions))
        for _ in range(data.draw(st.integers(1, 3)))
    )
    preheader = data.draw(st.sampled_from(["", "preheader: Two days left\n", 'preheader: "{{ customer.name }}"\n']))
    text = f'---\nsubject: "{{{{ {data.draw(expressions)} }}}}!"\n{preheader}---\n{body}\n'
    path = data.draw(st.sampled_from(["email/a.html", "email/a.zh.html"]))
    library = load_template_files({path: text})
    if any(problem.severity == "error" for problem in library.problems):
        return
    renderer = Renderer(library, BRAND)
    code, by_parts = forms(renderer, library.variants()[0])
    assert code.straight is not None
    values = {key: data.draw(PLAIN) for key, _ in code.variant.uses if data.draw(st.integers(0, 20))}
    extras = {name: value for name, value in EXTRAS.items() if name == "unsubscribe_url" or data.draw(st.booleans())}
    footer = data.draw(st.booleans())
    assert_alike(renderer, code, by_parts, values, extras, footer)


@pytest.mark.parametrize("extras", [{"locale": "zh"}, {"brand": {"name": "Other", "url": "https://other.example"}}])
def test_another_brand_or_language_for_one_message_is_heard(extras: dict[str, Any]) -> None:
    library = load_template_files({"sms/a.txt": "{{ brand.name }} {{ brand.url }} {{ locale }}"})
    renderer = Renderer(library, BRAND)
    usual = renderer.render(library.variants()[0], {}).text
    assert usual == "Blue & Green https://example.com en"
    assert renderer.render(library.variants()[0], {}, extras).text != usual


def test_a_text_that_grows_too_long_is_refused_with_its_reason() -> None:
    library = load_template_files({"sms/a.txt": "{{ customer.name }}" * 5})
    renderer = Renderer(library, BRAND)
    with pytest.raises(RenderError, match="grows past 200,000 characters"):
        renderer.render(library.variants()[0], {"customer.name": "x" * 50_000})
