"""Signed pages: only POST acts, every bad token looks the same, and mails are shown as they were sent."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from orchestrator.core.inbox import ConsentChanged, Identified, SurveyAnswered
from orchestrator.core.ledger import Message
from orchestrator.core.links import token
from orchestrator.http.app import make_app
from orchestrator.runtime.ingest import Incoming, ingest_once
from tests.http.installation import BASE, DOT, SECRET, Installation, installation

ONE_CLICK = {"List-Unsubscribe": "One-Click"}
SCRIPTLESS = "default-src 'none'"


@pytest.fixture
def rows(site: Installation) -> dict[str, Message]:
    """A message of each topic, to a customer who agreed to promotions by e-mail."""
    return mail(site)


def mail(site: Installation, locale: str | None = None) -> dict[str, Message]:
    known = {"email": "u1@example.com", "phone": "+351912345678", "locale": locale}
    consents = {"promotions": {"email": "in"}}
    ingest_once(site.store, [("u1", Identified({**known, "consents": consents}))], site.now)
    ingest_once(site.store, [Incoming("u1", name, {"order": "o1"}) for name in ("go", "stop", "bought")], site.now)
    site.run()
    return {f"{row.topic}.{row.channel}": row for row in site.messages("u1")}


def link(page: str, row: Message, purpose: str) -> str:
    return f"/{page}/{token(SECRET, purpose, row.id)}"


def buttons(html: str) -> list[str]:
    return [unescape(text) for text in re.findall(r"<button[^>]*>(.*?)</button>", html)]


def boxes(html: str) -> dict[str, bool]:
    found = re.findall(r'<input type="checkbox" name="([^"]+)" value="in"( checked)?>', html)
    return {name: bool(checked) for name, checked in found}


def posted(html: str, **changed: bool) -> dict[str, str]:
    """What a browser would post of the preferences, after some boxes were clicked (`_` stands for the dot)."""
    ticked = {**boxes(html), **{name.replace("_", "."): value for name, value in changed.items()}}
    hidden = dict(re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]+)">', html))
    return {**hidden, **{name: "in" for name, value in ticked.items() if value}, "act": "save"}


# --- unsubscribe ------------------------------------------------------


def test_looking_never_unsubscribes(site: Installation, client: TestClient, rows: dict[str, Message]) -> None:
    where = link("u", rows["promotions.email"], "unsubscribe")
    for method in ("GET", "HEAD", "GET"):
        assert client.request(method, where).status_code == 200
        assert client.request(method, where, params=ONE_CLICK).status_code == 200
    assert client.options(where).status_code == 405
    assert site.consents("u1")["promotions", "email"] == "in"


@pytest.mark.parametrize("multipart", [False, True])
def test_one_click_unsubscribes_from_the_topic_at_once(
    site: Installation, client: TestClient, rows: dict[str, Message], multipart: bool
) -> None:
    where = link("u", rows["promotions.email"], "unsubscribe")
    for _ in range(3):  # replayed: the same
        if multipart:
            answer = client.post(where, files={"List-Unsubscribe": (None, "One-Click")})
        else:
            answer = client.post(where, data=ONE_CLICK)
        assert (answer.status_code, answer.history) == (200, [])
    assert site.consents("u1") == {("promotions", "email"): "out"}, "before any turn"
    site.run()
    assert site.consents("u1") == {("promotions", "email"): "out"}


def test_a_person_sees_what_the_button_does(site: Installation, client: TestClient, rows: dict[str, Message]) -> None:
    where = link("u", rows["promotions.email"], "unsubscribe")
    page = client.get(where)
    assert buttons(page.text) == ["Unsubscribe", "Stop everything by e-mail"]
    done = client.post(where, data={"act": "topic"})
    assert "You will get no more messages about “Offers &lt;and&gt; news” by e-mail." in done.text
    assert buttons(client.get(where).text) == ["Stop everything by e-mail"]
    assert len(buttons(client.get(re.findall(r'href="(/u/[^"]+)"', done.text)[0]).text)) == 2


def test_everything_means_every_topic_that_is_no_order(
    site: Installation, client: TestClient, rows: dict[str, Message]
) -> None:
    client.post(link("u", rows["promotions.email"], "unsubscribe"), data={"act": "all"})
    assert site.consents("u1") == {("promotions", "email"): "out", ("care", "email"): "out"}


def test_an_order_has_no_topic_to_leave(site: Installation, client: TestClient, rows: dict[str, Message]) -> None:
    where = link("u", rows["orders.email"], "unsubscribe")
    assert buttons(client.get(where).text) == ["Stop everything by e-mail"]
    client.post(where, data=ONE_CLICK)
    assert site.consents("u1") == {("promotions", "email"): "out", ("care", "email"): "out"}


def test_an_opt_in_that_is_not_decided_yet_does_not_outlive_the_opt_out(
    site: Installation, client: TestClient, rows: dict[str, Message]
) -> None:
    where = link("u", rows["promotions.email"], "unsubscribe")
    client.post(where, data=ONE_CLICK)
    ingest_once(site.store, [("u1", ConsentChanged("promotions", "email", "in"))], site.now)
    client.post(where, data=ONE_CLICK)
    site.run()
    assert site.consents("u1")["promotions", "email"] == "out"


# --- preferences ------------------------------------------------------


def test_preferences_show_what_holds_and_store_what_changed(
    site: Installation, client: TestClient, rows: dict[str, Message]
) -> None:
    where = link("u", rows["promotions.email"], "preferences")
    page = client.get(where).text
    assert boxes(page) == {"promotions.email": True, "promotions.sms": False, "care.email": True, "care.sms": True}
    saved = client.post(where, data=posted(page, promotions_sms=True, care_email=False)).text
    assert "Your choice is saved." in saved
    changed = {"promotions.email": True, "promotions.sms": True, "care.email": False, "care.sms": True}
    assert boxes(saved) == changed
    site.run()
    assert site.consents("u1") == {("promotions", "email"): "in", ("promotions", "sms"): "in", ("care", "email"): "out"}
    assert boxes(client.get(where).text) == changed


def test_a_choice_made_elsewhere_meanwhile_stands(
    site: Installation, client: TestClient, rows: dict[str, Message]
) -> None:
    where = link("u", rows["promotions.email"], "preferences")
    page = client.get(where).text
    client.post(link("u", rows["promotions.email"], "unsubscribe"), data=ONE_CLICK)
    client.post(where, data=posted(page, care_sms=False))
    site.run()
    assert site.consents("u1") == {("promotions", "email"): "out", ("care", "sms"): "out"}


def test_a_form_that_names_nothing_changes_no_preference(
    site: Installation, client: TestClient, rows: dict[str, Message]
) -> None:
    where = link("u", rows["promotions.email"], "preferences")
    for data in ({}, ONE_CLICK, {"promotions.email": "in", "orders.email.was": "in", "no.such.was": "in"}):
        assert client.post(where, data=data).status_code == 200
    assert site.consents("u1") == {("promotions", "email"): "in"}


def test_the_page_says_exactly_what_was_stopped(client: TestClient, rows: dict[str, Message]) -> None:
    done = client.post(link("u", rows["promotions.email"], "preferences"), data={"act": "all"}).text
    assert "You will get no more messages by e-mail about: Offers &lt;and&gt; news, Care." in done
    assert "Messages about what you order or book always come" in done
    one = client.post(link("u", rows["care.email"], "unsubscribe"), data=ONE_CLICK).text
    assert "no more messages about “Care” by e-mail" in one


# --- surveys ------------------------------------------------------


def answers(site: Installation) -> list[SurveyAnswered]:
    found = [item.body for view in site.store.load(site.now, 9).customers for item in view.inbox]
    return [body for body in found if isinstance(body, SurveyAnswered)]


def test_a_survey_is_asked_and_answered(site: Installation, client: TestClient, rows: dict[str, Message]) -> None:
    where = link("s", rows["care.email"], "survey")
    for method in ("GET", "HEAD"):
        assert client.request(method, where, params={"score": "9"}).status_code == 200
    assert answers(site) == []
    asked = client.get(where, params={"score": "9"}).text
    assert re.findall(r'value="(\d+)" required( checked)?', asked) == [
        (str(score), " checked" if score == 9 else "") for score in range(11)
    ]
    for _ in range(2):
        done = client.post(where, data={"score": "9", "text": " Lovely\r\nstay\x00 "})
        assert "Thank you!" in done.text
    row = rows["care.email"]
    assert answers(site) == [SurveyAnswered("nps_stay", 9.0, None, "Lovely\nstay", row.id)]


@pytest.mark.parametrize("data", [{}, *({"score": score} for score in ("11", "-1", "9.5", "٩", "")), {"text": "x"}])
def test_an_answer_without_a_score_is_asked_again(
    site: Installation, client: TestClient, rows: dict[str, Message], data: dict[str, str]
) -> None:
    answer = client.post(link("s", rows["care.email"], "survey"), data=data)
    assert (answer.status_code, answers(site)) == (422, [])
    assert data.get("text", "") in answer.text


@pytest.fixture
def wishes(site: Installation) -> dict[str, Message]:
    """A survey with choices, and one of five numbers, by their names."""
    ingest_once(site.store, [("u2", Identified({"email": "u2@example.com"}))], site.now)
    ingest_once(site.store, [Incoming("u2", "changed", {})], site.now)
    site.run()
    return {row.survey or "": row for row in site.messages("u2")}


def test_a_survey_of_choices_offers_them(site: Installation, client: TestClient, wishes: dict[str, Message]) -> None:
    where = link("s", wishes["room"], "survey")
    asked = client.get(where, params={"choice": "quiet"}).text
    offered = re.findall(r'name="choice" value="([^"]*)" required( checked)?>', asked)
    assert [(unescape(value), mark) for value, mark in offered] == [("sea & sun", ""), ("quiet", " checked")]
    for data in ({}, {"choice": "garden"}, {"text": "quiet"}):
        refused = client.post(where, data=data)
        assert refused.status_code == 422 and "Please choose one of these." in refused.text
    assert answers(site) == []
    assert "Thank you!" in client.post(where, data={"choice": "sea & sun", "text": "please"}).text
    assert answers(site) == [SurveyAnswered("room", None, "sea & sun", "please", wishes["room"].id)]


def test_a_satisfaction_survey_has_five_numbers(client: TestClient, wishes: dict[str, Message]) -> None:
    where = link("s", wishes["stay"], "survey")
    asked = client.get(where, params={"score": "9"}).text
    assert re.findall(r'name="score" value="(\d+)" required( checked)?', asked) == [(str(n), "") for n in range(1, 6)]
    assert client.post(where, data={"score": "0"}).status_code == 422
    assert client.post(where, data={"score": "5"}).status_code == 200


# --- view in browser, pictures ------------------------------------------------------


def test_the_view_is_what_was_mailed(site: Installation, client: TestClient, rows: dict[str, Message]) -> None:
    row = rows["promotions.email"]
    answer = client.get(link("v", row, "view"))
    assert answer.text == site.renderer.render(row).html
    policy = answer.headers["content-security-policy"]
    assert SCRIPTLESS in policy and "sandbox" in policy and "allow-scripts" not in policy
    links = re.findall(r"href='([^']+)'", answer.text)
    assert [client.get(unescape(found).removeprefix(BASE)).status_code for found in links] == [200, 200, 200]


def test_a_text_message_is_shown_as_text(client: TestClient, rows: dict[str, Message]) -> None:
    answer = client.get(link("v", rows["orders.sms"], "view"))
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text == "Hello. Reply STOP to end.\n".strip() or answer.text.startswith("Hello.")


def test_pictures_are_served_for_ever(site: Installation, client: TestClient, rows: dict[str, Message]) -> None:
    html = client.get(link("v", rows["promotions.email"], "view")).text
    [where] = re.findall(rf"src=['\"]{BASE}(/assets/[^'\"]+)['\"]", html)
    answer = client.get(where)
    assert (answer.content, answer.headers["content-type"]) == (DOT, "image/png")
    assert "immutable" in answer.headers["cache-control"]
    assert client.get(where, headers={"If-None-Match": answer.headers["etag"]}).status_code == 304
    digits = where.split("/")[2]
    wrong = [f"/assets/{digits[:3]}/dot.png", f"/assets/{'0' * 12}/dot.png", f"/assets/{digits}/../dot.png"]
    wrong += [f"/assets/{digits}/%2e%2e/%2e%2e/journeys/project.yaml", f"/assets/{digits}/", "/assets//dot.png"]
    assert {client.get(path).status_code for path in wrong} == {404}


# --- tokens ------------------------------------------------------


def bad_tokens(row: Message) -> Iterator[str]:
    good = token(SECRET, "unsubscribe", row.id)
    yield from (good[:-1], good + "A", good[:-1] + ("A" if good[-1] != "A" else "B"), good.swapcase(), "x" + good)
    yield from (
        "...",
        "a.b",
        row.id,
        f"{row.id}.",
        "%00",
        "%ff%fe",
        "%ED%A0%80",
        "退订",
        f"{row.id}.退订",
        "é" * 9,
    )
    yield token(b"another secret", "unsubscribe", row.id)
    yield token(SECRET, "unsubscribe", "no-such-message")
    yield token(SECRET, "click", row.id)


@pytest.mark.parametrize("method", ["GET", "POST", "HEAD"])
@pytest.mark.parametrize("place", ["u", "s", "v"])
def test_every_bad_token_is_the_same_page(
    site: Installation, client: TestClient, rows: dict[str, Message], place: str, method: str
) -> None:
    if place == "v" and method == "POST":
        assert client.post(link("v", rows["care.email"], "view")).status_code == 405
        return
    row = rows["promotions.email"]
    tried = ["", *bad_tokens(row)]
    if place != "u":
        tried += [token(SECRET, "unsubscribe", row.id), token(SECRET, "preferences", row.id)]
    if place != "s":
        tried += [token(SECRET, "survey", row.id)]
    if place != "v":
        tried += [token(SECRET, "view", row.id)]
    seen = set()
    for bad in tried:
        answer = client.request(method, f"/{place}/{bad}", **({"data": ONE_CLICK} if method == "POST" else {}))
        seen.add((answer.status_code, answer.text))
    assert len(seen) == 1
    assert next(iter(seen))[0] == 404
    assert site.consents("u1") == {("promotions", "email"): "in"}


def test_a_survey_link_of_a_message_without_a_survey_asks_nothing(client: TestClient, rows: dict[str, Message]) -> None:
    assert client.get(link("s", rows["promotions.email"], "survey")).status_code == 404


SHARED = installation()
WEB = TestClient(make_app(SHARED), base_url=BASE)


@given(st.sampled_from("usv"), st.binary(min_size=1, max_size=60), st.binary(max_size=60))
def test_random_tokens_never_make_it_fail(place: str, given_token: bytes, body: bytes) -> None:
    path = f"/{place}/" + "".join(f"%{byte:02X}" for byte in given_token)
    assert WEB.get(path).status_code in (404, 405)
    for kind in ("application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain"):
        assert WEB.post(path, content=body, headers={"Content-Type": kind}).status_code in (400, 404, 405)


def test_huge_forms_are_refused(client: TestClient, rows: dict[str, Message]) -> None:
    where = link("u", rows["promotions.email"], "unsubscribe")
    assert client.post(where, content=b"a=" + b"b" * 100_000).status_code == 413
    fields = "&".join(f"f{n}=1" for n in range(2_000))
    kind = {"Content-Type": "application/x-www-form-urlencoded"}
    assert client.post(where, content=fields, headers=kind).status_code in (200, 400)


# --- language and headers ------------------------------------------------------


@pytest.mark.parametrize(
    ("locale", "accepted", "chinese"),
    [
        (None, None, False),
        (None, "zh-CN,zh;q=0.9,en;q=0.8", True),
        (None, "fr, en;q=0.5, zh;q=0.4", False),
        (None, "zh;q=nan, en;q=x", False),
        ("zh-Hant-TW", "en", True),
        ("en-GB", "zh", False),
        ("pt", "zh", False),
    ],
)
def test_the_customers_language_comes_first(locale: str | None, accepted: str | None, chinese: bool) -> None:
    site = installation()
    client = TestClient(make_app(site), base_url=BASE)
    row = mail(site, locale)["promotions.email"]
    headers = {"Accept-Language": accepted} if accepted else {}
    page = client.get(link("u", row, "unsubscribe"), headers=headers).text
    assert ("退订" in page) is chinese
    assert f'lang="{"zh-Hans" if chinese else "en"}"' in page


def test_pages_can_be_neither_scripted_nor_framed_nor_kept(client: TestClient, rows: dict[str, Message]) -> None:
    places = [link("u", rows["care.email"], "unsubscribe"), link("s", rows["care.email"], "survey"), "/u/bad"]
    for place in places:
        headers = client.get(place).headers
        policy = headers["content-security-policy"]
        assert SCRIPTLESS in policy and "frame-ancestors 'none'" in policy and "unsafe" not in policy
        assert headers["cache-control"] == "no-store"
        assert headers["referrer-policy"] == "no-referrer"
