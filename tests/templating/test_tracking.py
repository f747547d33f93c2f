"""Links as they leave: rewritten where a reader would follow them, and nowhere else."""

from __future__ import annotations

from html import escape
from html.entities import html5

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.templating.link_scan import rewritten_html, rewritten_text
from orchestrator.templating.tracking import linked_targets, with_pixel, with_short_links, with_tracked_links
from orchestrator.templating.utm import UtmTags, tagged

BASE = "https://m.example.com"
TAGS = UtmTags((("utm_source", "news"), ("utm_medium", "email"), ("utm_campaign", "spring sale")), ("example.com",))
ADDED = "utm_source=news&utm_medium=email&utm_campaign=spring%20sale"


@pytest.mark.parametrize(
    ("html", "links"),
    [
        ('<a href="https://a.com/x?y=1&amp;z=2">x</a>', ["https://a.com/x?y=1&z=2"]),
        ("<A class=b HREF = ' https://a.com/x '>x</A>", ["https://a.com/x"]),
        ('<a title="a > b" href="https://a.com">x</a><area href="http://b.com/">', ["https://a.com", "http://b.com/"]),
        ('<!--[if mso]><v:roundrect href="https://a.com/b" style="c"><![endif]-->', ["https://a.com/b"]),
        ('<a href="https://a.com/a\n b">x</a>', ["https://a.com/a b"]),
        ('<a href="mailto:a@b.c">x</a><a href="tel:+1">x</a><a href="#top">x</a><a href="/rel">x</a>', []),
        ('<a data-notrack href="https://a.com">x</a><a href="https://b.com" data-notrack>x</a>', []),
        ('<a data-href="https://a.com">x</a><link href="https://b.com"><img src="https://c.com">', []),
        ('<p>https://a.com</p><a name="x">y</a>', []),
    ],
)
def test_what_is_a_link(html: str, links: list[str]) -> None:
    found: list[str] = []
    assert rewritten_html(html, lambda url: found.append(url) or url) == html  # type: ignore[func-returns-value]
    assert found == links


_NAMES = st.sampled_from(sorted({name.rstrip(";") for name in html5})) | st.sampled_from(["currency", "notify"])


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(_NAMES, st.text(st.sampled_from("aZ9-_.~%2F"), max_size=5)), min_size=1, max_size=5))
def test_a_query_is_followed_as_it_is_written_with_and_without_escapes(query: list[tuple[str, str]]) -> None:
    url = "https://a.com/x?" + "&".join(f"{name}={value}" for name, value in query)
    for written in (url, escape(url), url.replace("&", "&#38;"), url.replace("&", "&AMP;")):
        made = rewritten_html(f'<a href="{written}">x</a>', lambda link: link.replace("https", "http"))
        assert made == f'<a href="{escape(url.replace("https", "http"))}">x</a>'


@pytest.mark.parametrize(
    ("written", "read"),
    [
        ("a=1&curren", "a=1¤"),
        ("a=1&curren;cy=2", "a=1¤cy=2"),
        ("a=1&currency", "a=1&currency"),
        ("a=1&currency;b", "a=1&currency;b"),
        ("a=&lt&b=&notit;", "a=<&b=&notit;"),
        ("&#x41&#66;&#", "AB&#"),
    ],
)
def test_references_in_links_are_read_as_browsers_read_them(written: str, read: str) -> None:
    made = rewritten_html(f'<a href="https://a.com/?{written}">x</a>', lambda link: f"{link}!")
    assert made == f'<a href="{escape("https://a.com/?" + read)}!">x</a>'


def test_our_own_pages_are_not_tracked() -> None:
    html = "".join(f'<a href="{BASE}{page}">x</a>' for page in ("/u/t", "/v/t", "/s/t?score=1", "/assets/a/b.pdf"))
    assert with_tracked_links(html, BASE, lambda url: "t") == html
    shop = f'<a href="{BASE}/shop?a=1&amp;b=2" class="c">x</a>'  # the brand's own site may have the same name
    assert with_tracked_links(shop, BASE, lambda url: "t") == f'<a href="{BASE}/c/t" class="c">x</a>'
    long = f'<a href="https://a.com/{"x" * 2000}">x</a>'
    assert with_tracked_links(long, BASE, lambda url: "t") == long


@pytest.mark.parametrize(
    ("text", "short"),
    [
        ("See https://a.com/b. Bye", "See B/0. Bye"),
        ("(https://a.com/b) and https://a.com/(c)", "(B/0) and B/1"),
        ("详情：https://a.com/b，回复T退订", "详情：B/0，回复T退订"),
        ("https://a.com/b早餐", "https://a.com/b早餐"),
        ("https://a.com/x?y=1&z=2#w", "B/0"),
        (f"Stop: {BASE}/u/token", f"Stop: {BASE}/u/token"),
        ("no link: a.com, https:/a", "no link: a.com, https:/a"),
    ],
)
def test_links_of_a_text_are_short(text: str, short: str) -> None:
    made = with_short_links(text, BASE, str)
    assert made == short.replace("B/", f"{BASE}/c/")
    assert len(linked_targets(text, BASE)) == short.count("B/")


def test_a_text_beyond_the_numbers_keeps_its_links() -> None:
    text = " ".join(f"https://a.com/{n}" for n in range(3))
    made = with_short_links(text, BASE, lambda number: "t" if number < 2 else None)
    assert made == f"{BASE}/c/t {BASE}/c/t https://a.com/2"


def test_the_picture_is_last_in_the_body() -> None:
    assert with_pixel("<body><p>x</p></BODY></html>", "u").endswith('border:0;"></BODY></html>')
    assert with_pixel("<p>x</p>", "u").startswith('<p>x</p><img src="u" width="1"')


@pytest.mark.parametrize(
    ("url", "made"),
    [
        ("https://example.com", f"https://example.com?{ADDED}"),
        ("https://WWW.Example.com:8443/a?b=1#c", f"https://WWW.Example.com:8443/a?b=1&{ADDED}#c"),
        ("https://example.com/?", f"https://example.com/?{ADDED}"),
        ("https://example.com/?a&", f"https://example.com/?a&{ADDED}"),
        ("https://example.com/?UTM_Source=x&utm_medium=&utm_campaign=y", None),
        ("https://example.com/?utm_source=x", "https://example.com/?utm_source=x&" + ADDED.partition("&")[2]),
        ("https://notexample.com/", None),
        ("https://example.com.evil.org/", None),
        ("https://evil.org/?https://example.com/", None),
        ("https://example.com@evil.org/", None),
        ("https://evil.org#@example.com/", None),
        ("mailto:a@example.com", None),
    ],
)
def test_only_the_brands_own_links_say_where_somebody_came_from(url: str, made: str | None) -> None:
    assert tagged(url, TAGS) == (made or url)
    assert tagged(tagged(url, TAGS), TAGS) == tagged(url, TAGS)


@settings(max_examples=150, deadline=None)
@given(text=st.text(alphabet=st.sampled_from("ah tps:/.<>\"'=&;#?-\n中v"), max_size=200))
def test_whatever_stands_there_is_left_as_it_is(text: str) -> None:
    assert rewritten_html(text, lambda url: url) == text
    assert rewritten_text(text, lambda url: url) == text
