"""Pictures of a project: found in templates, named by their content, told where they are."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.ledger import Message
from orchestrator.core.project import Project
from orchestrator.errors import Problem
from orchestrator.runtime.rendering import LedgerRenderer
from orchestrator.templating import assets
from orchestrator.templating.assets import as_written, asset_of, embedded, read_assets, references, served_from
from orchestrator.templating.loading import load_template_files, load_templates
from orchestrator.templating.pieces import Data
from orchestrator.templating.render import Rendered, Renderer
from orchestrator.templating.templates import TemplateLibrary

NOW = datetime(2026, 3, 1, 10, tzinfo=UTC)
PNG = b"\x89PNG\r\n\x1a\n"
HEAD = '---\nsubject: "x"\n---\n'
MJML = "<mjml><mj-body>{}</mj-body></mjml>"
SERVED = served_from("https://mail.example.com/base/")


def library(body: str, *names: str, **files: str | bytes) -> TemplateLibrary:
    """One email with this body, and pictures with these names."""
    pictures = {f"assets/{name}": PNG + name.encode() for name in names}
    kind = "mjml" if "<mjml" in body else "html"
    return load_template_files({f"email/a.{kind}": HEAD + body, **pictures, **files})


def rendered(found: TemplateLibrary, channel: str = "email", **frozen: object) -> Rendered:
    variant = found.pick(channel, "a", None)
    assert variant is not None
    values = {key: frozen.get(key.rpartition(".")[2]) for key, _ in variant.uses}
    return Renderer(found, {"name": "B"}, asset_url=SERVED).render(variant, values)


def address(name: str) -> str:
    return SERVED(asset_of(name, PNG + name.encode()))


def places(problems: tuple[Problem, ...]) -> list[tuple[str, int, int, str]]:
    return [(problem.path, problem.line, problem.column, problem.code) for problem in problems]


def test_an_address_holds_the_hash_of_the_content() -> None:
    one, two = asset_of("a b/ä.png", b"1"), asset_of("a b/ä.png", b"2")
    assert re.fullmatch(r"https://mail\.example\.com/base/assets/[0-9a-f]{12}/a%20b/%C3%A4\.png", SERVED(one))
    assert SERVED(one) != SERVED(two)
    assert one.content_hash.startswith(one.address.partition("/")[0])
    assert as_written(one) == "assets/a%20b/%C3%A4.png"
    assert embedded(one) == f"data:image/png;base64,{base64.b64encode(b'1').decode()}"


@pytest.mark.parametrize(
    "body",
    [
        '<img src="assets/sea.png" alt="">',
        "<img src='assets/sea.png' alt=''>",
        "<img src=assets/sea.png alt=x>",
        '<img alt="" SRC = " ../assets/sea.png ">',
        '<img src="./assets/sea%2Epng" alt="">',
        '<table background="assets/sea.png"><tr><td>x</td></tr></table>',
        '<a href="assets/sea.png">large</a>',
        '<div style="background: #fff url(assets/sea.png) no-repeat">x</div>',
        "<div style=\"background:url( 'assets/sea.png' )\">x</div>",
        '<div style="background:url(&quot;assets/sea.png&quot;)">x</div>',
        "<style>.x { background: url(\"../assets/sea.png\") }</style><p class='y'>x</p>",
        '<!--[if mso]><v:fill src="assets/sea.png" /><![endif]--><p>x</p>',
        MJML.format('<mj-section background-url="assets/sea.png"><mj-column></mj-column></mj-section>'),
        MJML.format('<mj-section><mj-column><mj-image src="assets/sea.png" alt="" /></mj-column></mj-section>'),
        '<img src="{% if customer.dark %}assets/sea.png{% else %}assets/sea.png{% endif %}" alt="">',
    ],
)
def test_every_way_to_name_a_picture(body: str) -> None:
    found = library(body, "sea.png", "other.png")
    assert not [problem for problem in found.problems if problem.severity == "error"]
    html = rendered(found).html
    assert html is not None
    assert address("sea.png") in html
    assert not re.search(r"""["'( ;]\.{0,2}/?assets/""", html)
    assert [asset.name for asset in found.variants()[0].assets] == ["sea.png"]


def test_names_with_brackets_spaces_and_folders() -> None:
    names = ["photos/at sea (1).jpg", "a&b.png", "ä.webp"]
    body = "".join(f'<img src="assets/{name.replace("&", "&amp;")}" alt="">' for name in names)
    html = rendered(library(body, *names)).html
    assert html is not None and all(address(name) in html for name in names)


def test_what_is_no_name_is_left_alone() -> None:
    body = '<p>src assets/sea.png</p><img src="https://example.com/assets/sea.png" alt="assets/sea.png">'
    found = library(body, "sea.png")
    assert found.variants()[0].assets == ()
    assert rendered(found).html == body
    assert library('<!-- <img src="assets/gone.png"> --><p>x</p>').problems == ()


def test_a_picture_that_is_not_there_has_its_place() -> None:
    body = '<p>a</p>\n  <img alt="" src="assets/harbor.png">\n<div style="background:url(assets/zzz.gif)">x</div>'
    found = library(body, "harbour.png")
    assert places(found.problems) == [
        ("templates/email/a.html", 5, 20, "unknown_asset"),
        ("templates/email/a.html", 6, 28, "unknown_asset"),
    ]
    assert found.problems[0].message == "there is no file templates/assets/harbor.png"
    assert found.problems[0].hint == "did you mean 'harbour.png'?"
    assert found.problems[1].hint == "put the file into templates/assets/"


def test_a_partial_is_told_once() -> None:
    files = {"email/_p.html": '<img src="assets/gone.png" alt="">'}
    for name in ("a", "b"):
        files[f"email/{name}.html"] = HEAD + "{% include '_p.html' %}"
    found = load_template_files(files)
    assert places(found.problems) == [("templates/email/_p.html", 1, 11, "unknown_asset")]


def test_other_kinds_of_files_are_not_shown() -> None:
    (problem,) = library('<img src="assets/sea.bmp" alt="">').problems
    assert problem.code == "unknown_asset" and problem.hint is not None and ".png" not in problem.message
    assert "png, jpg, jpeg, gif, svg, webp, pdf" in problem.hint


@pytest.mark.parametrize("name", ["{{ customer.x }}.png", "a{{ customer.x }}", "{% if customer.x %}a.png{% endif %}"])
def test_a_value_in_a_name_is_refused_with_the_way_out(name: str) -> None:
    found = library(f'<p>x</p><img alt="" src="assets/{name}">', "a.png")
    assert places(found.problems) == [("templates/email/a.html", 4, 26, "asset_name")]
    assert "{% if %}" in str(found.problems[0].hint)
    chosen = library('<img alt="" src="{% if customer.x %}assets/{{ customer.x }}{% endif %}">')
    assert [problem.code for problem in chosen.problems] == ["asset_name"]


def test_the_image_of_a_push_message() -> None:
    push: dict[str, str | bytes] = {
        "push/a.yaml": "title: x\nbody: y\nimage: assets/sea.png",
        "assets/sea.png": PNG + b"sea.png",
    }
    found = load_template_files(push)
    assert rendered(found, "push").fields == (("image", address("sea.png")),)
    inbox: dict[str, str | bytes] = {
        "inbox/a.txt": '---\nimage: "{% if customer.x %}assets/sea.png{% endif %}"\n---\ny'
    }
    assert rendered(load_template_files({**push, **inbox}), "inbox", x=True).fields == (("image", address("sea.png")),)
    missing = load_template_files({"push/a.yaml": "title: x\nbody: y\nimage: assets/sea.png"})
    assert places(missing.problems) == [("templates/push/a.yaml", 3, 8, "unknown_asset")]


def test_a_picture_belongs_to_the_content_of_a_template() -> None:
    body, plain = '<img src="assets/sea.png" alt="">', "<p>x</p>"

    def content(body: str, data: bytes) -> str:
        return load_template_files({"email/a.html": HEAD + body, "assets/sea.png": data}).variants()[0].content_hash

    assert content(body, b"1") != content(body, b"2")
    assert content(body, b"1") == content(body, b"1")
    assert content(plain, b"1") == content(plain, b"2")


def test_a_variant_is_made_again_from_its_files_and_assets() -> None:
    variant = library('<img src="assets/sea.png" alt="">', "sea.png", "other.png").variants()[0]
    files = dict(variant.files) | {f"assets/{asset.name}": asset.data for asset in variant.assets}
    assert load_template_files(files).variants()[0].content_hash == variant.content_hash


def test_the_logo_of_the_brand() -> None:
    found = library('<img src="{{ brand.logo }}" alt="">', "logo.svg")
    for logo in ("logo.svg", "assets/logo.svg", "templates/assets/logo.svg"):
        renderer = Renderer(found, {"name": "B", "logo": logo}, asset_url=SERVED)
        assert address("logo.svg") in (renderer.render(found.variants()[0], {}).html or "")
    elsewhere = Renderer(found, {"logo": "https://example.com/l.png"}, asset_url=SERVED)
    assert "https://example.com/l.png" in (elsewhere.render(found.variants()[0], {}).html or "")


def test_the_folder_is_read_with_its_bounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outside = tmp_path / "outside.png"
    outside.write_bytes(PNG)
    folder = tmp_path / "templates" / "assets"
    (folder / "in").mkdir(parents=True)
    (folder / "in" / "sea.PNG").write_bytes(PNG)
    (folder / "large.png").write_bytes(b"x" * 1_000_001)
    (folder / "large.pdf").write_bytes(b"x" * 1_000_001)
    (folder / ".hidden.png").write_bytes(PNG)
    (folder / "notes.txt").write_bytes(b"x")
    (folder / "link.png").symlink_to(outside)
    (folder / "broken.png").symlink_to(tmp_path / "nowhere")
    found: list[Problem] = []
    assert sorted(read_assets(folder, found)) == ["in/sea.PNG", "large.pdf", "large.png"]
    assert places(tuple(found)) == [("templates/assets/large.png", 1, 1, "asset_too_large")]
    assert "1,000,001 bytes" in found[0].message and "1,000,000" in found[0].message
    (tmp_path / "templates" / "email").mkdir()
    (tmp_path / "templates" / "email" / "a.html").write_text(HEAD + '<img src="assets/large.png" alt="">')
    assert [problem.code for problem in load_templates(tmp_path).problems] == ["asset_too_large"]
    monkeypatch.setattr(assets, "LARGEST_TOGETHER", 900_000)
    together = [problem for problem in load_templates(tmp_path).problems if "900,000" in problem.message]
    assert [(problem.path, problem.code) for problem in together] == [("templates/assets/large.pdf", "asset_too_large")]


def test_mails_that_are_sent_name_the_picture_they_were_written_with() -> None:
    def shown(content_hash: str) -> str | None:
        row = Message(
            "m1", "u1", "e1", "j", "v1", "u1", "email_1", 1, "email", "orders", "transactional", "a", content_hash,
            None, "u1@example.com", {}, NOW, NOW, 1,
        )  # fmt: skip
        return renderer.render(row).html

    old, new = (
        load_template_files({"email/a.html": HEAD + '<img src="assets/sea.png" alt="">', "assets/sea.png": data})
        for data in (b"old", b"new")
    )
    renderer = LedgerRenderer(old, Project(ZoneInfo("UTC")), "https://mail.example.com/base", b"k")
    first = shown(old.variants()[0].content_hash)
    renderer.deploy(new, Project(ZoneInfo("UTC")))
    assert first == f'<img src="{SERVED(asset_of("sea.png", b"old"))}" alt="">'
    assert shown(old.variants()[0].content_hash) == first
    assert SERVED(asset_of("sea.png", b"new")) in (shown(new.variants()[0].content_hash) or "")


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet="<>\"'=( )/.&;aseturlc{%}\n", max_size=60))
def test_any_text_is_read_without_failing(text: str) -> None:
    body = f'{text}<img src="assets/a.png">'
    for found in references([Data(body, 1)]):
        written = body[found.start : found.stop]
        assert "assets/" in written and found.mark == 1 + found.start
