"""What a template says it needs: keys, places, names, and what it works out itself."""

from __future__ import annotations

import pytest

from orchestrator.templating.loading import load_template_files
from orchestrator.templating.templates import TemplateVariant


def variant(text: str, path: str = "sms/a.txt", **partials: str) -> TemplateVariant:
    """The one template of a library without problems."""
    files = {f"email/_{name}.html": body for name, body in partials.items()}
    library = load_template_files({path: text, **files})
    assert not [problem.headline() for problem in library.problems if problem.severity == "error"]
    return library.variants()[0]


def keys(text: str) -> list[str]:
    """The keys of a template, in order."""
    return [key for key, _ in variant(text).uses]


@pytest.mark.parametrize(
    ("text", "needs"),
    [
        ("{{ customer.first_name | default('x') | upper }}", ["customer.first_name"]),
        ("{{ entry.items[0].name }}", ["entry.items[0].name"]),
        ("{{ entry.items }} {{ entry.items | first }}", ["entry.items"]),
        ("{{ (entry.items | first).name }}", ["(entry.items | first).name"]),
        ("{{ entry.prices[customer.tier] }}", ["entry.prices[customer.tier]"]),
        ("{{ catalog('hotels', entry.hotel_id).name }}", ["catalog('hotels', entry.hotel_id).name"]),
        ("{{ count('order_placed', within='30d') }}", ["count('order_placed', within='30d')"]),
        (
            "{% if entry.total >= 200 and customer.tier == 'gold' %}x{% endif %}",
            ["entry.total >= 200", "customer.tier == 'gold'"],
        ),
        ("{{ (entry.check_in - days(3)) | date('%d') }}", ["entry.check_in - days(3)"]),
        ("{{ 'yes' if coupon else 'no' }}", ["coupon"]),
        ("{{ customer.name[:3] }}", ["customer.name"]),
        ("{{ coupon is none }}", ["coupon"]),
        ("{% for i in entry.items %}{{ i.name }}{{ loop.index }}{% endfor %}", ["entry.items"]),
        ("{% for i in entry.items if i.price > entry.least %}{{ i.name }}{% endfor %}", ["entry.items", "entry.least"]),
        ("{% for i in entry.a %}{% for j in i.b %}{{ j }}{% endfor %}{% endfor %}", ["entry.a"]),
        ("{% for a, b in entry.pairs %}{{ a }}{{ b }}{% endfor %}{{ a }}", ["entry.pairs", "a"]),
        ("{{ name }}{% set name = customer.x %}{{ name }}", ["name", "customer.x"]),
        ("{% if x %}{% set y = 1 %}{% else %}{{ y }}{% endif %}{{ y }}", ["x", "y"]),
        (
            "{% with h = catalog('hotels', entry.h) %}{{ h.name }}{% endwith %}{{ h }}",
            ["catalog('hotels', entry.h)", "h"],
        ),
        ("{{ loop.index }}", ["loop.index"]),
        ("{{ now }} {{ today }} {{ basket }}", ["now", "today", "basket"]),
        ("{{ brand.name }} {{ unsubscribe_url }} {{ locale }} {{ survey.url }} {{ message.id }}", []),
        ("{{ 1 + 2 }} {{ 'a' ~ 'b' }}", []),
        ("{# {{ customer.x }} #}{% raw %}{{ customer.y }}{% endraw %}", []),
    ],
)
def test_needs(text: str, needs: list[str]) -> None:
    assert keys(text) == needs


def test_every_place_is_known_in_every_file() -> None:
    text = '---\nsubject: "Hi {{ customer.first_name }}"\n---\n\n<p>{{ entry.a }}</p>\n{% include "_foot.html" %}'
    found = variant(f"{text} {{{{ entry.a }}}}", "email/a.html", foot="\n  {{ customer.first_name }}")
    places = {key: [(place.path, place.line, place.column) for place in at] for key, at in found.positions.items()}
    assert places == {
        "customer.first_name": [("templates/email/a.html", 2, 17), ("templates/email/_foot.html", 2, 6)],
        "entry.a": [("templates/email/a.html", 5, 7), ("templates/email/a.html", 6, 31)],
    }
    assert {name: len(at) for name, at in found.names.items()} == {"customer": 2, "entry": 2}
    assert [path for path, _ in found.files] == ["email/a.html", "email/_foot.html"]


def test_names_are_roots_of_values_and_nothing_else() -> None:
    found = variant("{{ count('a', where=it.x == entry.y) }} {{ brand.name }} {% for i in basket %}{{ i }}{% endfor %}")
    assert sorted(found.names) == ["basket", "entry"]
    assert found.specials == {"brand"}


def test_a_template_says_whether_it_depends_on_the_zone() -> None:
    assert variant("{{ entry.at | datetime('%H') }}").zoned
    assert variant("{% for i in entry.items %}{{ i.a > i.b }}{% endfor %}").zoned
    assert not variant("{{ entry.total > 3 }} {{ entry.at }}").zoned


def test_the_hash_follows_every_file_and_nothing_else() -> None:
    files = {"email/a.html": "{% include '_f.html' %}", "email/a.txt": "x", "email/_f.html": "y", "email/b.html": "z"}

    def hash_of(**changed: str) -> str:
        paths = {"main": "email/a.html", "beside": "email/a.txt", "partial": "email/_f.html", "other": "email/b.html"}
        changes = {paths[name]: text for name, text in changed.items()}
        found = load_template_files(files | changes).pick("email", "a", None)
        assert found is not None
        return found.content_hash

    assert hash_of() == hash_of(other="other")
    assert len({hash_of(), hash_of(beside="1"), hash_of(partial="2"), hash_of(main="3")}) == 4


def test_a_variant_can_be_made_again_from_its_own_files() -> None:
    found = variant("---\nsubject: x\n---\n{% include '_f.html' %}", "email/a.html", f="{{ customer.x }}")
    again = load_template_files(dict(found.files)).variants()[0]
    assert again == found
    assert again.content_hash == found.content_hash
