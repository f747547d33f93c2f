"""Rendering: missing values, extras, footer, headers, strategies that give the same result, the text part."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from orchestrator.templating.failure import RenderError
from orchestrator.templating.loading import load_template_files
from orchestrator.templating.plain_text import text_of
from orchestrator.templating.render import Rendered, Renderer

BRAND: dict[str, object] = {"name": "Blue Harbour", "url": "https://example.com", "address": "1 Harbour Road"}


def render(text: str, values: dict[str, Any], path: str = "sms/a.txt", footer: bool = False, **extras: Any) -> Rendered:
    """One file rendered; values not given are missing."""
    library = load_template_files({path: text})
    assert not [problem for problem in library.problems if problem.severity == "error"], library.problems
    variant = library.variants()[0]
    frozen = {key: values.get(key) for key, _ in variant.uses}
    return Renderer(library, BRAND).render(variant, frozen, extras, append_footer=footer)


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("{% if x %}a{% else %}b{% endif %}", "b"),
        ("{{ x | default('d') }}", "d"),
        ("{{ x | upper | default('d') }}", "d"),
        ("{{ x or 'd' }}", "d"),
        ("{{ x == none }} {{ x != none }} {{ x is none }} {{ x is defined }}", "true false true false"),
        ("{% for i in x | default([]) %}{{ i }}{% else %}empty{% endfor %}", "empty"),
        ("{% if x %}{% for i in x %}{{ i }}{% endfor %}{% endif %}.", "."),
        ("{{ 'a' if x }}.", "."),
        (
            "{% set y = x %}{{ y | default('d') }}{{ y > 3 }}{{ y in ['a'] }}{{ 'a' in y }}{{ y == none }}",
            "dfalsefalsefalsetrue",
        ),
        ("{% for i in [1, 2] %}{{ x | default(i) }}{% endfor %}", "12"),
    ],
)
def test_a_missing_value_is_false_and_has_a_default(text: str, written: str) -> None:
    values = {"x == none": True, "x != none": False}
    assert render(text, values).text == written


@pytest.mark.parametrize(
    "text",
    [
        "{{ x }}",
        "{{ x | upper }}",
        "{{ 'Hi ' ~ x }}",
        "{% for i in x %}{% endfor %}",
        "{% set y = x %}{{ y + 1 }}",
        "{% set y = x %}{{ y.z }}",
        "{% set y = x %}{{ y[0] }}",
        "{% set y = x %}{{ y[:1] }}",
        "{% for i in [1] %}{{ i + x }}{% endfor %}",
        "{{ [x] | join(', ') }}x{{ x }}",
    ],
)
def test_a_missing_value_is_never_written(text: str) -> None:
    with pytest.raises(RenderError, match="has no value") as caught:
        render(text, {})
    assert caught.value.line == 1
    assert caught.value.column > 1


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (1, "1"),
        (80.0, "80"),
        (0.1, "0.1"),
        (1e-7, "0.0000001"),
        (True, "true"),
        ("2026-03-01", "2026-03-01"),
        (date(2026, 3, 1), "2026-03-01"),
        (datetime(2026, 3, 1, 10, tzinfo=UTC), "2026-03-01T10:00:00Z"),
        (["a", 1, None], "a, 1"),
        ([], ""),
        ("a\r\nb\x00", "a\nb"),
    ],
)
def test_how_values_are_written(value: Any, written: str) -> None:
    assert render("{{ x }}", {"x": value}).text == written


def test_blank_text_has_a_default_too() -> None:
    assert render("Hi {{ x | default('friend') }},", {"x": "  "}).text == "Hi friend,"


def test_data_comes_before_methods() -> None:
    text = "{% for e in x %}{{ e.items }} {{ e.keys }} {{ e.get | default('-') }}{% endfor %}"
    assert render(text, {"x": [{"items": "i", "keys": 2}]}).text == "i 2 -"


def test_dates_are_written_in_the_zone_in_force() -> None:
    text = "{{ x | datetime('%Y-%m-%d %H:%M') }} {{ x | date }}"
    instant = {"x": "2026-03-01T20:00:00Z"}
    assert render(text, instant).text == "2026-03-01 20:00 2026-03-01"
    assert render(text, instant, timezone="Asia/Shanghai").text == "2026-03-02 04:00 2026-03-02"
    assert render(text, instant, timezone=ZoneInfo("Asia/Shanghai")).text == "2026-03-02 04:00 2026-03-02"


def test_names_that_only_the_shell_knows() -> None:
    text = "{{ brand.name }} {{ view_url }} {{ locale }} {{ message.id }} {{ survey.links[0].url }}"
    message = render(text, {}, view_url="https://v", message={"id": "m1"}, survey={"links": [{"url": "https://s"}]})
    assert message.text == "Blue Harbour https://v en m1 https://s"
    with pytest.raises(RenderError, match="view_url"):
        render("{{ view_url }}", {})


EMAIL = "---\nsubject: own\nfrom: own@example.com\n---\n%s"


def test_the_step_may_give_subject_and_addresses() -> None:
    message = render(EMAIL % "x", {}, "email/a.html", subject=" the\nstep's ", reply_to="a@example.com, b@example.com")
    assert (message.subject, message.from_, message.reply_to) == (
        "the step's",
        "own@example.com",
        "a@example.com, b@example.com",
    )
    with pytest.raises(RenderError, match="from"):
        render(EMAIL % "x", {}, "email/a.html", **{"from": "x@example.com\r\nBcc: y@example.com"})


def test_an_sms_is_sent_by_a_name_or_a_number() -> None:
    assert render("---\nfrom: Blue Harbour\n---\nx", {}).from_ == "Blue Harbour"


def test_the_footer_stands_where_the_link_is_missing_and_only_there() -> None:
    url = "https://example.com/u/1?a=b&c=d"
    message = render(EMAIL % "<html><body><p>x</p></body></html>", {}, "email/a.html", True, unsubscribe_url=url)
    assert message.html is not None
    assert message.html.count("https://example.com/u/1?a=b&amp;c=d") == 1
    assert message.html.endswith("</div></body></html>")
    assert message.html.count("1 Harbour Road") == 1
    assert message.text.count(url) == 1
    placed = render(
        EMAIL % '<a href="{{ unsubscribe_url }}">no more</a>', {}, "email/a.html", True, unsubscribe_url=url
    )
    assert placed.html is not None
    assert "Harbour" not in placed.html + placed.text
    assert placed.text == f"no more ({url})\n"
    branch = "{% if x %}<a href='{{ unsubscribe_url }}'>no more</a>{% endif %}hello"
    unplaced = render(EMAIL % branch, {"x": False}, "email/a.html", True, unsubscribe_url=url)
    assert unplaced.html is not None
    assert "Unsubscribe" in unplaced.html
    assert "Unsubscribe" in unplaced.text


def test_no_email_that_needs_the_link_goes_without_it() -> None:
    with pytest.raises(RenderError, match="unsubscribe"):
        render(EMAIL % "x", {}, "email/a.html", True)
    assert render(EMAIL % "x", {}, "email/a.html").html == "x"
    assert render("x", {}, "sms/a.txt", True).text == "x"


def test_problems_stop_a_template_and_no_other() -> None:
    library = load_template_files({"sms/bad.txt": "{{ x", "sms/good.txt": "ok"})
    renderer = Renderer(library, BRAND)
    bad, good = library.pick("sms", "bad", None), library.pick("sms", "good", None)
    assert bad is not None
    assert good is not None
    with pytest.raises(RenderError, match="lint"):
        renderer.render(bad, {})
    assert renderer.render(good, {}).text == "ok"


ROWS = "<table>{% for i in x %}<tr><td class='c'>{{ i.n }}</td></tr>{% endfor %}</table>"
STYLE = "<html><head><style>.c { color: red }</style></head><body>%s</body></html>"


def test_styles_inlined_at_load_and_after_rendering_are_the_same() -> None:
    values = {"x": [{"n": "a&b"}, {"n": "c"}], "y": True}
    early = render(EMAIL % (STYLE % ROWS), values, "email/a.html")
    late = render(
        EMAIL % (STYLE % (ROWS + "{% if y %}<p>{% else %}<p class='c'>{% endif %}</p>")), values, "email/a.html"
    )
    assert early.html is not None
    assert late.html is not None
    assert early.html.count('<td class="c" style="color: red;">') == 2
    assert late.html.replace("<p></p>", "") == early.html
    assert late.text == early.text == "a&b\nc\n"


def test_mjml_compiled_at_load_and_after_rendering_are_the_same() -> None:
    body = "<mjml><mj-body><mj-section>%s<mj-text>{{ x }}</mj-text></mj-column></mj-section></mj-body></mjml>"
    values = {"x": "a & <b>", "y": True}
    early = render(EMAIL % (body % "<mj-column>"), values, "email/a.mjml")
    late = render(EMAIL % (body % "{% if y %}{% endif %}<mj-column>"), values, "email/a.mjml")
    assert late.html == early.html
    assert late.text == early.text == "a & <b>\n"


def test_columns_in_a_loop_share_the_width() -> None:
    body = "<mjml><mj-body><mj-section>{% for i in x %}<mj-column><mj-text>{{ i }}</mj-text></mj-column>{% endfor %}"
    message = render(EMAIL % (body + "</mj-section></mj-body></mjml>"), {"x": ["a", "b", "c"]}, "email/a.mjml")
    assert message.html is not None
    assert "mj-column-per-33" in message.html


@pytest.mark.parametrize(
    ("html", "text"),
    [
        ("<p>One</p><p>Two<br>Three</p>", "One\n\nTwo\nThree\n"),
        ("<h1>Head</h1>text   with\n spaces", "Head\n\ntext with spaces\n"),
        ("<ul><li>a</li><li>b <b>c</b></li></ul>", "- a\n- b c\n"),
        ('<a href="https://example.com">Go</a> now', "Go (https://example.com) now\n"),
        ('<a href="https://example.com/">https://example.com/</a>', "https://example.com/\n"),
        ('<a href="mailto:a@example.com">a@example.com</a>', "a@example.com\n"),
        ('<a href="#top">Top</a>', "Top\n"),
        ('<img src="x" alt="A picture"><img src="y" alt="">', "A picture\n"),
        ("<style>p{}</style><script>x</script><title>t</title>seen", "seen\n"),
        ('<div style="display:none">hidden<p>too</p></div>seen', "seen\n"),
        ("<table><tr><td>a</td><td>b</td></tr><tr><td>c</td></tr></table>", "a b\nc\n"),
        ("&lt;b&gt; &amp; &nbsp;x", "<b> & x\n"),
    ],
)
def test_the_text_part(html: str, text: str) -> None:
    assert text_of(html) == text
    assert render(EMAIL % html, {}, "email/a.html").text.strip() == text.strip()


def test_the_text_part_made_at_load_is_that_of_the_finished_message() -> None:
    html = (
        "<p>Dear {{ x }},</p>{% if y %}<p>Only {% if z %}now{% else %}later{% endif %}.</p>{% endif %}"
        "<ul>{% for i in w %}<li><a href='https://example.com/{{ i }}'>{{ i }}</a></li>{% endfor %}</ul><p>Bye</p>"
    )
    for y in (True, False):
        for w in ([], ["a"], ["a", "b"]):
            message = render(EMAIL % html, {"x": "A & B", "y": y, "z": False, "w": w}, "email/a.html")
            assert message.html is not None
            assert message.text == text_of(message.html)


def test_headers_and_the_text_of_an_email_are_not_escaped() -> None:
    message = render("---\nsubject: '{{ x }}'\n---\n<p>{{ x }}</p>", {"x": "a & b's"}, "email/a.html")
    assert message.subject == "a & b's"
    assert message.text == "a & b's\n"
    assert message.html == "<p>a &amp; b&#39;s</p>"


def test_blocks_on_lines_of_their_own_leave_no_line() -> None:
    text = "a\n{% if x %}\n  {% for i in x %}\n{{ i }}\n  {% endfor %}\n{% endif %}\nb\n"
    assert render(text, {"x": [1, 2]}).text == "a\n1\n2\nb"


@pytest.mark.parametrize("odd", ["<![1", "<![1]>", "<![if x]>", "<![", "<!x", "</!", "<![cdata[x]]>"])
def test_odd_declarations_are_no_text_and_no_crash(odd: str) -> None:
    assert text_of(f"<p>before</p>{odd}").startswith("before")
    assert text_of(f"<p>before</p>{odd}><p>after</p>").endswith("after\n")
