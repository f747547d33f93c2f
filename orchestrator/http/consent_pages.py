"""`/u/...`: unsubscribe, preferences, and the confirmation of a double opt-in. Only POST acts; mail programs and link
scanners may look as often as they like (RFC 8058). Every choice goes into the consent ledger with what was shown."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final, Literal, NamedTuple

from fastapi import FastAPI
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from orchestrator.core.addresses import Address, address_of, stored_address
from orchestrator.core.consent import CONFIRMED_BY_LINK, EXPIRED, state_at
from orchestrator.core.customer import Customer
from orchestrator.core.double_opt_in import GOOD_FOR
from orchestrator.core.inbox import Body, ConsentChanged, Receipt
from orchestrator.core.ledger import Message
from orchestrator.core.links import token as signed
from orchestrator.core.plus_addresses import is_same, keeps_apart, own, put_as, reasons, unmarked
from orchestrator.core.program import Channel
from orchestrator.core.project import Said, Topic
from orchestrator.http.forms import read_form
from orchestrator.http.languages import Language, locale_read
from orchestrator.http.links import Linked, linked
from orchestrator.http.page import asked_language, page, root_of
from orchestrator.http.service import Service
from orchestrator.http.words import CHANNELS, CHANNELS_WITHIN, words_of
from orchestrator.runtime.ingest import ingest_once
from orchestrator.templating.locales import fallbacks

_ADDRESSES: Final[Mapping[str, str]] = {"email": "email", "sms": "phone", "whatsapp": "phone"}
"""Channels and the field of the profile without which nothing can reach a customer there."""


LONGEST_AGENT: Final = 300
"""Characters of a browser's name that the ledger keeps."""
ONE_CLICK: Final = "List-Unsubscribe=One-Click"
"""What the ledger keeps as wording where a mail program asked, in its own words."""


class Choice(NamedTuple):
    """One box of the preferences: what comes about a topic on a channel."""

    field: str
    topic: Topic
    channel: Channel
    chosen: bool


def add_consent_routes(app: FastAPI, service: Service) -> None:
    """GET and HEAD show, POST acts."""

    def show(request: Request, token: str) -> Response:
        return _shown(_visit(service, request, token, "unsubscribe", "preferences"))

    async def act(request: Request, token: str) -> Response:
        form = await read_form(request)
        return await run_in_threadpool(
            lambda: _act(_visit(service, request, token, "unsubscribe", "preferences"), form)
        )

    def show_confirmation(request: Request, token: str) -> Response:
        return _confirmation(_visit(service, request, token, "confirm"))

    async def confirm(request: Request, token: str) -> Response:
        await read_form(request)
        return await run_in_threadpool(lambda: _confirm(_visit(service, request, token, "confirm")))

    for path, look, answer in (("/u/confirm/{token}", show_confirmation, confirm), ("/u/{token}", show, act)):
        app.add_api_route(path, look, methods=["GET", "HEAD"], include_in_schema=False)
        app.add_api_route(path, answer, methods=["POST"], include_in_schema=False)


class Visit(NamedTuple):
    """A request to one of these pages. `found` None: its token is not good; `customer` None: nor is anybody there."""

    service: Service
    request: Request
    language: Language
    found: Linked | None

    def page(self, name: str, status: int = 200, **values: Any) -> Response:
        """A page, with the way to the other language."""
        return page(name, self.language, self.service, status, switch=True, **values)

    def gone(self, **values: Any) -> Response:
        """What everybody sees whose link is not good, whatever is wrong with it."""
        return page("gone", self.language, self.service, 404, **values)

    def say(self, key: str, **values: object) -> str:
        """Our own words, for the ledger: what was shown when somebody chose."""
        return words_of(self.language)[key].format(**values)

    def topic(self, topic: Topic) -> Said:
        """What a topic is called here, and said about it."""
        return topic.said_in(fallbacks(locale_read(self.language, self.customers_locale())))

    def customers_locale(self) -> str | None:
        """The locale of whom the link was sent to, as far as one is known."""
        found = self.found
        if found is None:
            return None
        return (found.customer.locale if found.customer is not None else None) or found.row.locale

    def address(self, path: str) -> str:
        """A path of this installation, in the language that was asked for."""
        asked = self.request.query_params.get("lang")
        return f"{root_of(self.request)}{path}" + (f"?lang={asked}" if asked in ("en", "zh") else "")

    def proof(self, row: Message) -> dict[str, Any]:
        """What the ledger keeps of who chose: whose link it was is what proves it."""
        client = self.request.client
        known = {
            "message": row.id,
            "ip": client.host if client is not None else None,
            "user_agent": (self.request.headers.get("user-agent") or "")[:LONGEST_AGENT] or None,
        }
        return {name: value for name, value in known.items() if value is not None}


def _visit(service: Service, request: Request, token: str, *purposes: str) -> Visit:
    found = linked(service, token, *purposes)
    visit = Visit(service, request, "en", found)
    return visit._replace(language=asked_language(service, request, visit.customers_locale()))


def _act(visit: Visit, form: Mapping[str, str]) -> Response:
    service, found = visit.service, visit.found
    if found is None or found.customer is None:
        return visit.gone()
    row, customer = found.row, found.customer
    if form.get("act") == "all" or (found.purpose == "unsubscribe" and row.klass == "transactional"):
        stopped = _everything(service)
        by = CHANNELS_WITHIN[visit.language].get(row.channel, row.channel)
        wording = visit.say("unsubscribe_all_button", channel=by)
        outs: list[Change] = [(topic.id, row.channel, "out", wording) for topic in stopped]
        _tell(visit, row, customer, outs, [Receipt("unsubscribe", row.channel, row.id, wording)])
        # Topics that do not exist yet, too; as long as nobody ticks a box of this channel again.
        address, apart = _sent_to(row, customer), _are_apart(service)
        cause = put_as("opted_out", row.channel, address.text, apart, service.store.salt)
        service.store.suppress([(row.channel, address.normal, cause)], service.journey_now())
        return _done(visit, found, stopped)
    if found.purpose == "preferences":
        changes = _changed(visit, _choices(service, customer, row), form)
        opened = sorted({channel for _, channel, state, _ in changes if state == "in"})
        _tell(visit, row, customer, changes, _let_in(visit, row, customer, opened))
        return _preferences(visit, found, form)
    # Whatever else is posted here means no: a mail program's one click, our button, or a form that was cut off.
    wording = ONE_CLICK if form.get("List-Unsubscribe") == "One-Click" else _asked(visit, row)
    _tell(visit, row, customer, [(row.topic, row.channel, "out", wording)])
    return _done(visit, found)


Change = tuple[str, Channel, Literal["in", "out"], str]
"""Topic, channel, state, and what was shown."""


def _tell(
    visit: Visit, row: Message, customer: Customer, changes: Iterable[Change], all_told: Iterable[Receipt] = ()
) -> None:
    """Through ingest, whose transaction makes an opt-out effective at once.

    An opt-out is always told: an opt-in that was chosen before and is not decided yet must not outlive it. Whoever came
    by the link in a message shows that its address is theirs; about other channels, and about the address that has
    taken its place since, they only say so (`form`).
    """
    service, proof = visit.service, visit.proof(row)
    shown = row.channel if _is_todays(row, customer, _are_apart(service)) else None
    news = [
        ConsentChanged(topic, channel, state, "page" if channel == shown else "form", wording, proof)
        for topic, channel, state, wording in changes
        if state == "out" or customer.consents.get((topic, channel)) != "in" or customer.consent_dates
    ]
    bodies: list[Body] = [*all_told, *news]
    if bodies:
        with service.arrival() as now:
            ingest_once(service.store, [(customer.id, body) for body in bodies], now)
        service.nudge()


def _let_in(visit: Visit, row: Message, customer: Customer, channels: Iterable[Channel]) -> list[Receipt]:
    """Whoever ticks a box takes back that nothing at all should come that way. Returns what the ledger is to hear."""
    service = visit.service
    apart = _are_apart(service)
    found = [(channel, _chosen_for(row, customer, channel)) for channel in channels]
    addresses = [(channel, address) for channel, address in found if address is not None]
    known = service.store.suppressions() if addresses else {}
    lifted = []
    for channel, address in addresses:
        causes = own(known.get((channel, address.normal), ()), channel, address.text, apart, service.store.salt)
        entries = [(channel, address.normal, cause) for cause in sorted(causes) if unmarked(cause) == "opted_out"]
        if entries:
            lifted.append(channel)
            service.store.unsuppress(entries)
    wording = visit.say("preferences_title")
    return [Receipt("resubscribe", channel, row.id, wording) for channel in lifted]


def _chosen_for(row: Message, customer: Customer, channel: str) -> Address | None:
    """The address about which whoever came by a message chooses: that to which it went, on others the customer's."""
    return _sent_to(row, customer) if channel == row.channel else address_of(customer, channel)[0]


def _is_todays(row: Message, customer: Customer, apart: bool) -> bool:
    """Whether the address that a message went to is still the one that the customer has on its channel. Of devices and
    accounts, there may be several at once."""
    if row.channel not in _ADDRESSES:
        return True
    address, _ = address_of(customer, row.channel)
    if address is None or address.normal != _sent_to(row, customer).normal:
        return False
    return row.channel != "email" or is_same(address.text, row.to, apart)


def _sent_to(row: Message, customer: Customer) -> Address:
    return stored_address(row.channel, row.to, customer.country) or Address(row.to, row.to)


def _are_apart(service: Service) -> bool:
    return keeps_apart(service.store.index.project.channels)


# --- double opt-in ----------------------------------------------------------------------------------------------------


def _confirmation(visit: Visit) -> Response:
    found = visit.found
    if found is None or found.customer is None or not _is_todays(found.row, found.customer, _are_apart(visit.service)):
        return visit.gone()
    if visit.service.journey_now() - found.row.at > GOOD_FOR:
        return visit.gone(text="confirm_old")
    return visit.page("confirm", **_about(visit, found), done=False)


def _confirm(visit: Visit) -> Response:
    """Whoever has a link proves that its own address is theirs, and nothing about one that came later."""
    found = visit.found
    if found is None or found.customer is None or not _is_todays(found.row, found.customer, _are_apart(visit.service)):
        return visit.gone()
    row, service = found.row, visit.service
    if service.journey_now() - row.at > GOOD_FOR:
        return visit.gone(text="confirm_old")
    about = _about(visit, found)
    by = CHANNELS_WITHIN[visit.language].get(row.channel, row.channel)
    wording = visit.say("confirm_text", topic=about["topic"], channel=by)
    choice = ConsentChanged(row.topic, row.channel, "in", "confirm", wording, visit.proof(row))
    bodies: list[Body] = [*_let_in(visit, row, found.customer, [row.channel]), choice]
    with service.arrival() as now:
        ingest_once(service.store, [(found.customer.id, body) for body in bodies], now)
    service.nudge()
    return visit.page("confirm", **about, done=True)


# --- what there is to choose ------------------------------------------------------------------------------------------


def _everything(service: Service) -> list[Topic]:
    """Today's topics that somebody can be unsubscribed from."""
    return [topic for topic in service.store.index.project.topics.values() if topic.klass != "transactional"]


def _choices(service: Service, customer: Customer, row: Message) -> list[Choice]:
    """Every topic on every channel on which the customer can be reached, with what holds now."""
    project = service.store.index.project
    channels = [channel for channel in (*project.channels, row.channel) if _reachable(customer, channel)]
    choices = []
    closed = {channel for channel in {*channels, row.channel} if _is_closed(service, customer, row, channel)}
    for topic in project.topics.values():
        if topic.klass == "transactional":
            continue
        for channel in dict.fromkeys([*channels, row.channel]):
            state = state_at(customer, (topic.id, channel), service.journey_now())
            chosen = channel not in closed and (
                state == "in" or (state in (None, EXPIRED) and topic.klass == "service")
            )
            choices.append(Choice(f"{topic.id}.{channel}", topic, channel, chosen))
    return choices


def _is_closed(service: Service, customer: Customer, row: Message, channel: Channel) -> bool:
    """Whether nothing at all comes on a channel, because the person said so."""
    address = _chosen_for(row, customer, channel)
    causes = service.store.suppressions().get((channel, address.normal)) if address is not None else None
    if address is None or not causes:
        return False
    return "opted_out" in reasons(causes, channel, address.text, _are_apart(service), service.store.salt)


def _reachable(customer: Customer, channel: str) -> bool:
    field = _ADDRESSES.get(channel)
    return field is not None and getattr(customer, field) is not None


def _changed(visit: Visit, choices: Iterable[Choice], form: Mapping[str, str]) -> list[Change]:
    """The boxes that differ from what they showed. `<field>.was` says that a box was on the page, and how it stood:
    a topic that was deployed since, or a choice made elsewhere meanwhile, is left alone."""
    changes: list[Change] = []
    for choice in choices:
        was = form.get(f"{choice.field}.was")
        wanted = choice.field in form
        if was is None or wanted == (was == "in"):
            continue
        state: Literal["in", "out"] = "in" if wanted else "out"
        said, by = visit.topic(choice.topic), CHANNELS[visit.language].get(choice.channel, choice.channel)
        shown = ": ".join(part for part in (said.title, said.description, by) if part)
        changes.append((choice.topic.id, choice.channel, state, shown))
    return changes


# --- pages ------------------------------------------------------------------------------------------------------------


def _shown(visit: Visit) -> Response:
    found = visit.found
    if found is None or found.customer is None:
        return visit.gone()
    if found.purpose == "preferences":
        return _preferences(visit, found)
    row = found.row
    out = found.customer.consents.get((row.topic, row.channel)) == "out"
    return visit.page("unsubscribe", **_about(visit, found), out=out)


def _done(visit: Visit, found: Linked, stopped: Iterable[Topic] | None = None) -> Response:
    """What was done, exactly. `stopped`: these topics, on the channel, and all later ones; None: the message's own."""
    names = None if stopped is None else [visit.topic(topic).title for topic in stopped]
    return visit.page("unsubscribed", **_about(visit, found), stopped=names)


def _preferences(visit: Visit, found: Linked, saved: Mapping[str, str] | None = None) -> Response:
    """The boxes. After saving they stand as they were posted: an opt-in is stored by the customer's next turn."""
    customer, row = found.customer, found.row
    assert customer is not None
    topics: dict[str, dict[str, Any]] = {}
    asked = False
    for choice in _choices(visit.service, customer, row):
        if saved is not None and f"{choice.field}.was" in saved:
            wanted = choice.field in saved
            asked = asked or (wanted and saved[f"{choice.field}.was"] != "in" and _is_asked(choice, row))
            choice = choice._replace(chosen=wanted)
        topic = choice.topic
        said = visit.topic(topic)
        shown = {"name": said.title, "description": said.description, "choices": []}
        topics.setdefault(topic.id, shown)["choices"].append(choice)
    groups = list(topics.values())
    return visit.page("preferences", topics=groups, channel=row.channel, saved=saved is not None, asked=asked)


def _is_asked(choice: Choice, row: Message) -> bool:
    """Whether the owner of the address has to confirm it first."""
    return choice.topic.confirm is not None and choice.channel in CONFIRMED_BY_LINK and choice.channel != row.channel


def _asked(visit: Visit, row: Message) -> str:
    """What the page of a message's unsubscribe link asks."""
    by = CHANNELS_WITHIN[visit.language].get(row.channel, row.channel)
    return visit.say("unsubscribe_topic", topic=_topic_of(visit, row).title, channel=by)


def _topic_of(visit: Visit, row: Message) -> Said:
    topic = visit.service.store.index.project.topics.get(row.topic)
    return visit.topic(topic) if topic is not None else Said(row.topic, "")


def _about(visit: Visit, found: Linked) -> dict[str, Any]:
    row = found.row
    said = _topic_of(visit, row)
    return {
        "topic": said.title,
        "description": said.description,
        "channel": row.channel,
        "transactional": row.klass == "transactional",
        "preferences": visit.address(f"/u/{signed(visit.service.secret, 'preferences', row.id)}"),
    }
