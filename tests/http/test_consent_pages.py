"""What the pages of consent write down, what stays closed for topics of later, and the confirmation of an opt-in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from orchestrator.core.consent import EVERY_TOPIC, Choice
from orchestrator.core.double_opt_in import GOOD_FOR
from orchestrator.core.inbox import ConsentChanged, Identified
from orchestrator.core.ledger import Message
from orchestrator.core.links import token
from orchestrator.http.app import make_app
from orchestrator.runtime.ingest import Incoming, ingest_once
from orchestrator.stores.memory import MemoryStore
from tests.http.installation import SECRET, Installation
from tests.http.test_public_pages import ONE_CLICK, boxes, link, mail, posted
from tests.small_projects import project_of

DOUBLE = {
    "topics": {
        "promotions": {
            "class": "promotional",
            "title": "Offers",
            "description": "At most one a week.",
            "opt_in": "double",
        },
        "care": {"class": "service", "title": "Care"},
        "orders": {"class": "transactional"},
    }
}


@pytest.fixture
def rows(site: Installation) -> dict[str, Message]:
    return mail(site)


def log(site: Installation) -> list[Choice]:
    return list(site.store.consent_log("u1"))


def test_the_ledger_has_what_was_shown_and_who_it_was(
    site: Installation, client: TestClient, rows: dict[str, Message]
) -> None:
    row = rows["promotions.email"]
    client.post(link("u", row, "unsubscribe"), data={"act": "topic"}, headers={"user-agent": "A browser"})
    client.post(link("u", row, "unsubscribe"), data=ONE_CLICK, headers={"user-agent": "A mail program"})
    site.run()
    by_hand, by_program = log(site)[-2:]
    assert (by_hand.state, by_hand.source, by_program.source) == ("out", "page", "page")
    assert by_hand.wording is not None and "hear no more about" in by_hand.wording
    assert by_program.wording == "List-Unsubscribe=One-Click"
    assert by_hand.proof == {"message": row.id, "ip": "testclient", "user_agent": "A browser"}


def test_everything_closes_what_comes_later_until_a_box_is_ticked(
    site: Installation, client: TestClient, rows: dict[str, Message]
) -> None:
    row = rows["care.email"]
    client.post(link("u", row, "preferences"), data={"act": "all"})
    site.run()
    assert site.store.suppressions()["email", "u1@example.com"] == {"opted_out"}
    page = client.get(link("u", row, "preferences")).text
    assert not any(value for name, value in boxes(page).items() if name.endswith(".email"))
    client.post(link("u", row, "preferences"), data=posted(page, care_email=True))
    site.run()
    assert not site.store.suppressions().get(("email", "u1@example.com"))
    assert boxes(client.get(link("u", row, "preferences")).text)["care.email"]
    of_all = [choice for choice in log(site) if choice.topic == EVERY_TOPIC]
    assert [(choice.channel, choice.state, choice.source) for choice in of_all] == [
        ("email", "out", "page"), ("email", "in", "page"),
    ]  # fmt: skip
    assert of_all[0].proof == {"message": row.id}
    one_click = [choice for choice in log(site) if choice.state == "out" and choice.channel == "email"]
    assert len({choice.at for choice in one_click}) == 1 < len(one_click), "one opt-out, of several topics"


def test_the_other_language_is_one_link_away_and_stays(
    site: Installation, client: TestClient, rows: dict[str, Message]
) -> None:
    address = link("u", rows["promotions.email"], "unsubscribe")
    assert 'href="?lang=zh" lang="zh-Hans"' in client.get(address).text
    chinese = client.get(f"{address}?lang=zh").text
    assert '<html lang="zh-Hans">' in chinese and 'href="?lang=en" lang="en"' in chinese
    assert "?lang=zh" in chinese.split("选择您想接收的内容")[0].rsplit("href=", 1)[1]
    assert "退订成功" in client.post(f"{address}?lang=zh", data={"act": "topic"}).text
    site.run()
    assert "您确定不再通过电子邮件接收" in (log(site)[-1].wording or "")


def test_topics_are_called_in_the_language_of_the_page_and_the_script_of_the_reader(tmp_path: Any) -> None:
    said = {"zh": {"title": "关怀提醒", "description": "入住前后"}, "zh_tw": {"title": "關懷提醒"}}
    parts = {"topics": {"care": {"class": "service", "title": "Care", "description": "Stays", "translations": said}}}
    news = {"topic": "care", "enter": {"event": "go"}, "steps": [{"email": "hello"}]}
    site = Installation(MemoryStore(keep_journal=True), project_of(tmp_path, {"news": news}, project=parts))
    for customer, locale in (("us", "en-US"), ("cn", "zh-CN"), ("tw", "zh-Hant-TW")):
        traits = Identified({"email": f"{customer}@example.com", "locale": locale})
        ingest_once(site.store, [(customer, traits), Incoming(customer, "go", {})], site.now)
    site.run()
    links = {id: link("u", site.messages(id)[0], "preferences") for id in ("us", "cn", "tw")}
    with TestClient(make_app(site)) as client:
        shown = {id: client.get(address).text for id, address in links.items()}
        assert "Care" in shown["us"] and "Stays" in shown["us"] and "关怀" not in shown["us"]
        assert "关怀提醒" in shown["cn"] and "入住前后" in shown["cn"] and "Care" not in shown["cn"]
        assert "關懷提醒" in shown["tw"] and "Stays" in shown["tw"], "what is not translated stays as it is"
        assert "关怀提醒" in client.get(f"{links['us']}?lang=zh").text
        client.post(links["cn"], data=posted(shown["cn"], care_email=False))
    site.run()
    proven = site.store.consent_log("cn")[-1].wording
    assert proven == "关怀提醒: 入住前后: 电子邮件", "what was shown is what is proven"


def test_apart_a_choice_is_about_its_own_plus_address(tmp_path: Any) -> None:
    parts = {"topics": {"care": {"class": "service", "title": "Care"}}}
    news = {"topic": "care", "enter": {"event": "go"}, "steps": [{"email": "hello"}]}
    channels = {"email": {"plus_addresses": "apart"}}
    loaded = project_of(tmp_path, {"news": news}, project={**parts, "channels": channels})
    site = Installation(MemoryStore(keep_journal=True), loaded)
    for customer, email in (("u1", "ana+shop@example.com"), ("u2", "ana@example.com")):
        ingest_once(site.store, [(customer, Identified({"email": email})), Incoming(customer, "go", {})], site.now)
    site.run()
    links = {id: link("u", site.messages(id)[0], "preferences") for id in ("u1", "u2")}
    with TestClient(make_app(site)) as client:

        def ticked() -> list[bool]:
            return [boxes(client.get(links[id]).text)["care.email"] for id in ("u1", "u2")]

        def tick(id: str) -> None:
            client.post(links[id], data=posted(client.get(links[id]).text, care_email=True))
            site.run()

        assert ticked() == [True, True]
        client.post(links["u1"], data={"act": "all"})
        site.run()
        assert ticked() == [False, True]
        tick("u1")
        assert ticked() == [True, True]
        # What was said when they were together is taken back by the plain address only.
        site.store.suppress([("email", "ana@example.com", "opted_out")], site.now)
        tick("u1")
        assert ticked() == [False, False]
        tick("u2")
        assert ticked() == [True, True]


# --- double opt-in ----------------------------------------------------------------------------------------------------


@pytest.fixture
def double(tmp_path: Any) -> Iterator[tuple[Installation, TestClient]]:
    news = {"topic": "promotions", "enter": {"event": "go"}, "steps": [{"email": "hello"}]}
    site = Installation(MemoryStore(keep_journal=True), project_of(tmp_path, {"news": news}, project=DOUBLE))
    with TestClient(make_app(site)) as client:
        yield site, client


def asked(site: Installation) -> Message:
    ingest_once(site.store, [("u1", Identified({"email": "u1@example.com"}))], site.now)
    ingest_once(site.store, [("u1", ConsentChanged("promotions", "email", "in", "form"))], site.now)
    site.run()
    [row] = [row for row in site.messages("u1") if row.journey == "double_opt_in"]
    return row


def state(site: Installation) -> str | None:
    card = site.store.card("u1")
    assert card is not None and card.customer is not None
    return card.customer.consents.get(("promotions", "email"))


def test_looking_confirms_nothing_and_the_button_does(double: tuple[Installation, TestClient]) -> None:
    site, client = double
    row = asked(site)
    address = f"/u/confirm/{token(SECRET, 'confirm', row.id)}"
    for _ in range(3):
        shown = client.get(address)
        client.head(address)
    site.run()
    assert shown.status_code == 200 and "At most one a week." in shown.text and state(site) == "pending"
    done = client.post(address, data={"act": "confirm"})
    site.run()
    assert "It is confirmed" in done.text and state(site) == "in"
    last = log(site)[-1]
    assert (last.source, last.state, (last.proof or {})["message"]) == ("confirm", "in", row.id)
    assert last.wording == "Do you want to hear about “Offers” by e-mail?"


def test_the_message_that_asks_is_mailed_with_its_link(double: tuple[Installation, TestClient]) -> None:
    site, _ = double
    row = asked(site)
    assert site.renderer.render(row).html is not None
    assert f"/u/confirm/{token(SECRET, 'confirm', row.id)}" in (site.renderer.render(row).html or "")
    assert "unsubscribe" not in (site.renderer.render(row).html or "").lower()


@pytest.mark.parametrize("purpose", ["unsubscribe", "preferences", "view"])
def test_a_link_for_something_else_confirms_nothing(double: tuple[Installation, TestClient], purpose: str) -> None:
    site, client = double
    row = asked(site)
    assert client.post(f"/u/confirm/{token(SECRET, purpose, row.id)}").status_code == 404
    site.run()
    assert state(site) == "pending"


def test_a_link_that_asked_long_ago_is_worth_nothing(double: tuple[Installation, TestClient]) -> None:
    site, client = double
    row = asked(site)
    site.now = site.now + GOOD_FOR * 1.01
    address = f"/u/confirm/{token(SECRET, 'confirm', row.id)}"
    assert "30 days" in client.get(address).text and client.post(address).status_code == 404
    site.run()
    assert state(site) == "pending"


@pytest.mark.parametrize("moved", ["mallory@example.org", None])
def test_the_link_of_an_old_address_proves_nothing_of_the_one_of_today(
    double: tuple[Installation, TestClient], moved: str | None
) -> None:
    site, client = double
    row = asked(site)
    ingest_once(site.store, [("u1", Identified({"email": moved}))], site.now)
    site.run()
    address = f"/u/confirm/{token(SECRET, 'confirm', row.id)}"
    assert client.get(address).status_code == client.post(address).status_code == 404
    site.run()
    assert state(site) != "in"
    page = client.get(link("u", row, "preferences")).text
    client.post(link("u", row, "preferences"), data=posted(page, promotions_email=True))
    site.run()
    assert state(site) != "in", "nor do its boxes"
    assert {choice.source for choice in log(site)} == {"form"}


def test_another_spelling_of_the_address_is_the_same_mailbox(double: tuple[Installation, TestClient]) -> None:
    site, client = double
    row = asked(site)
    ingest_once(site.store, [("u1", Identified({"email": "U1+offers@Example.com"}))], site.now)
    site.run()
    assert client.post(f"/u/confirm/{token(SECRET, 'confirm', row.id)}").status_code == 200
    site.run()
    assert state(site) == "in"


def test_who_is_erased_meets_a_link_that_does_not_work(
    site: Installation, client: TestClient, rows: dict[str, Message]
) -> None:
    row = rows["promotions.email"]
    site.store.erase("u1", site.now, site.now, "operator")
    for place, purpose in (("u", "unsubscribe"), ("u", "preferences"), ("v", "view")):
        assert client.get(link(place, row, purpose)).status_code == 404
    assert client.post(link("u", row, "unsubscribe"), data={"act": "topic"}).status_code == 404
    assert ingest_once(site.store, [Incoming("u1", "go", {})], site.now).accepted == 0
