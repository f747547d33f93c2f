"""Renders one message as the engine would, for one customer: a real one from a file, or a sample."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from orchestrator.cli.project_loading import raise_errors, read_document
from orchestrator.cli.sample_values import SampleFacts, Samples
from orchestrator.cli.terminal import Terminal
from orchestrator.core.addresses import address_of
from orchestrator.core.customer import Customer
from orchestrator.core.expression.scope import Scope
from orchestrator.core.program import MessageOptions, Send, Survey
from orchestrator.core.project import Topic
from orchestrator.core.time.zone_in_force import zone_in_force
from orchestrator.errors import DecisionError, Problem, UsageError
from orchestrator.records import dataclass

if TYPE_CHECKING:
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.templating.render import Rendered
    from orchestrator.templating.templates import TemplateVariant

PAGES = "https://example.com"
"""Stands for this installation's public pages: a preview's links lead nowhere."""

_CUSTOMER_TEXTS = ("email", "phone", "timezone", "locale", "country", "currency", "stage")
_CUSTOMER_KEYS = ("id", *_CUSTOMER_TEXTS, "attributes", "tags", "entry", "event", "results")


@dataclass(frozen=True, slots=True)
class Sent:
    """Where a message comes from: the journey's step that sends it, as far as there is one."""

    journey: str | None
    options: MessageOptions
    topic: Topic | None
    survey: str | None = None
    """The kind of the survey that it asks."""


@dataclass(frozen=True, slots=True)
class Preview:
    """One message, rendered. `to` is None where the customer has no address on its channel."""

    variant: TemplateVariant
    rendered: Rendered
    to: str | None
    sent: Sent
    unsubscribe_url: str


def find_template(loaded: LoadedProject, word: str) -> tuple[str, str]:
    """Channel and name of ``email/welcome`` or ``welcome``. Raises UsageError with the nearest."""
    known = [f"{channel}/{name}" for channel, name in loaded.templates.sets]
    wanted = word.removeprefix("templates/")
    found = [name for name in known if wanted in (name, name.partition("/")[2])]
    if len(found) == 1:
        channel, _, name = found[0].partition("/")
        return channel, name
    if found:
        raise UsageError(f"'{word}' is there on several channels; give one of {', '.join(found)}", "several_templates")
    from orchestrator.core.expression.nearest import did_you_mean

    bare = {name.partition("/")[2]: name for name in known}
    near = did_you_mean(wanted, known if "/" in wanted else bare)
    hint = near or f"there are {', '.join(known[:8])}{', ...' if len(known) > 8 else ''}" if known else "there are none"
    raise UsageError(f"there is no template '{word}'; {hint}", "unknown_template")


def read_customer(path: Path, terminal: Terminal) -> dict[str, Any]:
    """A customer file: id, email, ..., attributes, and `entry`, `event`, `results`. Raises ProjectInvalid."""
    from orchestrator.core.expression.nearest import did_you_mean

    document = read_document(path)
    raise_errors(document.problems, terminal)
    data = document.data
    if not isinstance(data, dict):
        hint = "write keys such as id: ana, email: ana@example.com, attributes: {...}"
        raise_errors([Problem(str(path), 1, 1, "wrong_type", "a customer is a mapping", hint)], terminal)
    problems: list[Problem] = []
    for key, value in data.items():
        if key not in _CUSTOMER_KEYS:
            hint = did_you_mean(str(key), _CUSTOMER_KEYS) or "attributes of your own stand below attributes:"
            problems.append(document.problem((key,), "unknown_key", f"'{key}' is no key of a customer", hint, key=True))
        elif key in ("attributes", "entry", "event", "results") and not isinstance(value, dict):
            problems.append(document.problem((key,), "wrong_type", f"{key} is a mapping", f"write {key}: {{...}}"))
        elif key in _CUSTOMER_TEXTS and value is not None and not isinstance(value, str):
            problems.append(document.problem((key,), "wrong_type", f"{key} is a text", "put it into quotes"))
    raise_errors(problems, terminal)
    return dict(data)


def render_preview(
    loaded: LoadedProject, channel: str, name: str, locale: str | None, given: Mapping[str, Any] | None, now: datetime
) -> Preview:
    """The message of this template. `given` is a customer file's content; None: a sample customer.

    Raises RenderError where the message cannot be rendered for this customer.
    """
    from orchestrator.definitions.compiler.templates import ProjectTemplates
    from orchestrator.templating.assets import served_from
    from orchestrator.templating.render import Renderer
    from orchestrator.templating.sms import SmsRules

    project = loaded.project
    live = project.templates
    types = live.types.get((channel, name), live.fallback) if isinstance(live, ProjectTemplates) else loaded.plan.types
    samples = Samples(project, now)
    about = samples.customer(types) if given is None else dict(given)
    customer = _customer(about, now)
    zone = zone_in_force(None, customer.timezone, customer.phone, customer.country, project.timezone).zone
    entry = about.get("entry") or samples.entry(types.entry)
    scope = Scope(
        _customer_data(loaded, customer),
        now=now,
        zone=zone,
        facts=SampleFacts(project, types, samples, now),
        entry={**entry, "at": now, "name": "sample", "key": customer.id, "trigger": "event", "updated_at": now}
        | {"properties": entry},
        event=about.get("event"),
        results={**samples.results(types), **about.get("results", {})},
    )
    sent = _sent_by(loaded, channel, name)
    for value_name, template in sent.options.values:
        scope.results[value_name] = _value_or_none(template.value, scope)
    reference = project.templates.pick(channel, name, locale or customer.locale or project.locale)
    variant = loaded.templates.pick(channel, name, locale or customer.locale or project.locale)
    assert reference is not None and variant is not None  # find_template has seen it
    frozen = {key: _value_or_none(expr.evaluate, scope) for key, expr in reference.uses}
    promised = sent.topic is not None and sent.topic.klass != "transactional"
    extras = _extras(loaded, channel, zone, sent, scope)
    rendered = Renderer(loaded.templates, project.brand, project.locale, served_from(PAGES)).render(
        variant, frozen, extras, append_footer=promised
    )
    address, _ = address_of(customer, channel, None)
    if channel == "sms":
        to, klass = (address.text if address else None), (sent.topic.klass if sent.topic is not None else None)
        rules = SmsRules.of(project.channels.get("sms", {}))
        rendered = rendered._replace(text=rules.finished(rendered.text, to, klass))
    return Preview(variant, rendered, address.text if address else None, sent, str(extras["unsubscribe_url"]))


def _customer(about: Mapping[str, Any], now: datetime) -> Customer:
    customer = Customer(str(about.get("id") or "sample"), now)
    for key in _CUSTOMER_TEXTS:
        setattr(customer, key, about.get(key))
    customer.attributes = dict(about.get("attributes") or {})
    customer.tags = tuple(map(str, about.get("tags") or ()))
    return customer


def _customer_data(loaded: LoadedProject, customer: Customer) -> dict[str, Any]:
    """What `customer` is in expressions: attributes, declared defaults included, under the reserved names."""
    attributes = loaded.project.attributes.items()
    data: dict[str, Any] = {name: spec.default for name, spec in attributes if spec.default is not None}
    data |= customer.attributes
    data |= {key: getattr(customer, key) for key in (*_CUSTOMER_TEXTS, "id", "created_at")}
    return data | {"tags": list(customer.tags), "attributes": customer.attributes}


def _sent_by(loaded: LoadedProject, channel: str, name: str) -> Sent:
    """The first step that sends the template; its topic is the step's, the template's, or the journey's."""
    variant = loaded.templates.pick(channel, name, None)
    own = variant.topic if variant is not None else None
    for journey in loaded.project.journeys.values():
        for step in journey.steps:
            ways = step.ways if isinstance(step, Send) else (step.way,) if isinstance(step, Survey) else ()
            if isinstance(step, (Send, Survey)) and any((w.channel, w.template) == (channel, name) for w in ways):
                topic = step.options.topic or own or journey.topic
                kind = step.kind if isinstance(step, Survey) else None
                return Sent(journey.id, step.options, loaded.project.topics.get(topic or ""), kind)
    return Sent(None, MessageOptions(), loaded.project.topics.get(own or ""))


def _extras(loaded: LoadedProject, channel: str, zone: ZoneInfo, sent: Sent, scope: Scope) -> dict[str, Any]:
    from orchestrator.runtime.rendering import survey_links

    url = f"{PAGES}/s/sample"
    extras: dict[str, Any] = {
        "message": {"id": "sample", "channel": channel},
        "timezone": zone,
        "unsubscribe_url": f"{PAGES}/u/sample",
        "preferences_url": f"{PAGES}/u/sample-preferences",
        "confirm_url": f"{PAGES}/u/confirm/sample-confirm",
        "view_url": f"{PAGES}/v/sample",
        "coupon_url": f"{PAGES}/k/sample",
        "survey": {
            "name": "sample",
            "url": url,
            "links": survey_links(url, sent.survey),
        },
    }
    defaults = loaded.project.channels.get(channel, {})
    for key, own in (("from", sent.options.sender), ("reply_to", sent.options.reply_to)):
        if own or defaults.get(key):
            extras[key] = own or defaults[key]
    subject = sent.options.subject
    if subject is not None:
        extras["subject"] = _value_or_none(subject.text, scope) or ""
    return extras


def _value_or_none(evaluate: Callable[[Scope], Any], scope: Scope) -> Any:
    """A value that cannot be worked out with these samples is missing, and the template says whether it may be."""
    try:
        return evaluate(scope)
    except DecisionError:
        return None
