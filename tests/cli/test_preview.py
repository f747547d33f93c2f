"""`orchestrator preview`: one message, for a sample or a real customer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest


def test_a_sample_customer(cli: Any, project: Path) -> None:
    done = cli("preview", "email/welcome")
    assert done.code == 0, done.err
    assert "subject    Welcome, Ana\n" in done.out
    assert "topic      care (service)" in done.out and "sent by welcome" in done.out
    assert "Good to have you with us, Ana." in done.out
    html = Path(".orchestrator/preview/email-welcome.html")
    assert f"HTML: {html}" in done.out and "<html" in html.read_text("utf-8")


def test_a_translation(cli: Any, project: Path) -> None:
    done = cli("preview", "welcome", "--locale", "zh-CN")
    assert "subject    Ana，欢迎您" in done.out
    assert Path(".orchestrator/preview/email-welcome.zh.html").exists()


def test_a_customer_of_ones_own(cli: Any, project: Path) -> None:
    Path("li.yaml").write_text(
        "id: li\nemail: li@example.com\nlocale: zh\nattributes: {first_name: 李}\n"
        "results: {coupon: {code: TRY1, expires_at: 2026-05-01T10:00:00Z, url: https://example.com}}\n",
        "utf-8",
    )
    done = cli("preview", "welcome_offer", "--customer", "li.yaml", "--json")
    assert done.code == 0, done.err
    preview = done.json
    assert (preview["to"], preview["locale"], preview["topic"]) == ("li@example.com", "zh", "promotions")
    assert "TRY1" in preview["text"] and "2026年5月1日" in preview["text"] and "李" in preview["text"]
    Path("li.json").write_text('{"id": "li", "attributes": {"first_name": "Li"}}', "utf-8")
    assert "subject    Welcome, Li" in cli("preview", "welcome", "--customer", "li.json").out


def test_sms_segments_are_counted(cli: Any, project: Path) -> None:
    done = cli("preview", "sms/welcome_reminder")
    assert done.code == 0, done.err
    assert "SAMPLE4U" in done.out and "units in GSM-7" in done.out
    chinese = cli("preview", "sms/welcome_reminder", "--locale", "zh")
    assert "UCS-2" in chinese.out


def test_segments_to_china_are_counted_as_china_does(cli: Any, project: Path) -> None:
    Path("templates/sms/latin.txt").write_text("a" * 100, "utf-8")
    Path("li.yaml").write_text("id: li\nphone: '+8613800000000'\n", "utf-8")
    done = cli("preview", "sms/latin", "--customer", "li.yaml")
    assert "2 segments" in done.out and "in UCS-2" in done.out, done.out + done.err


def test_the_size_is_that_of_what_leaves_with_its_tracked_links(cli: Any, project: Path) -> None:
    links = "".join(f'<p><a href="https://shop.example.com/{n}/{"x" * 60}">x</a></p>\n' for n in range(600))
    Path("templates/email/many.html").write_text(f"---\nsubject: Hello\npreheader: Soon\n---\n{links}", "utf-8")
    codes = [warning["code"] for warning in cli("preview", "email/many", "--json").json["warnings"]]
    assert "clipped" not in codes
    with Path("journeys/project.yaml").open("a") as file:
        file.write("\ntracking: {clicks: true, opens: true}\n")
    done = cli("preview", "email/many", "--json")
    assert "clipped" in [warning["code"] for warning in done.json["warnings"]], done.out


def test_html_alone(cli: Any, project: Path) -> None:
    done = cli("preview", "welcome", "--html")
    assert done.out.lstrip().startswith("<!") and "subject " not in done.out


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["welcom"], "did you mean 'welcome'?"),
        (["email/welcom"], "did you mean 'email/welcome'?"),
        (["welcome", "--customer", "none.yaml"], "none.yaml cannot be read"),
        (["welcome", "--send-to", "seed@example.com"], "ORCHESTRATOR_SMTP_URL"),
    ],
)
def test_what_cannot_be_shown(words: list[str], told: str, cli: Any, project: Path) -> None:
    done = cli("preview", *words)
    assert done.code == 2 and told in done.err


def test_mistakes_in_a_customer_file_have_their_place(cli: Any, project: Path) -> None:
    Path("ana.yaml").write_text("id: ana\nfirst_name: Ana\nemial: x@example.com\nentry: 3\n")
    done = cli("preview", "welcome", "--customer", "ana.yaml")
    assert done.code == 1
    assert "ana.yaml:2:1" in done.err and "attributes" in done.err
    assert "ana.yaml:3:1" in done.err and "did you mean 'email'?" in done.err
    assert "ana.yaml:4:" in done.err


def test_a_value_that_is_missing_stops_the_preview_with_its_place(cli: Any, project: Path) -> None:
    template = Path("templates/email/how_was_it.mjml")
    template.write_text(template.read_text("utf-8").replace(" | default('Hello')", ""), "utf-8")
    Path("nobody.yaml").write_text("id: nobody\n")
    done = cli("preview", "how_was_it", "--customer", "nobody.yaml")
    assert done.code == 1
    assert "templates/email/how_was_it.mjml:" in done.err and "customer.first_name" in done.err


def test_the_same_name_on_several_channels(cli: Any, project: Path) -> None:
    Path("templates/sms/welcome.txt").write_text("Hello")
    done = cli("preview", "welcome")
    assert done.code == 2 and "email/welcome, sms/welcome" in done.err


def test_the_file_holds_the_pictures_of_the_project(cli: Any, project: Path) -> None:
    picture = Path("templates/assets/sea.png")
    picture.parent.mkdir(parents=True, exist_ok=True)
    picture.write_bytes(b"\x89PNG")
    text = '---\nsubject: Hello there\n---\n<img src="assets/sea.png" alt="The sea">'
    Path("templates/email/sea.html").write_text(text)
    done = cli("preview", "email/sea", "--json")
    assert done.code == 0, done.err
    assert '<img src="data:image/png;base64,iVBORw=="' in Path(done.json["file"]).read_text("utf-8")
    assert not {"remote_image", "relative_link", "data_image"} & {found["code"] for found in done.json["warnings"]}
    Path("templates/email/sea.html").write_text(text.replace("sea.png", "see.png"))
    broken = cli("preview", "email/sea")
    assert broken.code == 1
    assert "templates/email/sea.html:4:11" in broken.err and "did you mean 'sea.png'?" in broken.err
