"""Forms: from their files to what the pages ask."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Any, Final
from urllib.parse import urlsplit

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.core.forms import DEFAULT, ConsentBox, Form, FormField
from orchestrator.definitions.compiler.fields import Fields
from orchestrator.definitions.models.forms import ConsentModel, FieldModel, FormModel
from orchestrator.definitions.project_files import ProjectFiles
from orchestrator.definitions.source import Path
from orchestrator.errors import Problem
from orchestrator.templating.locales import normal_locale

TOLD: Final = ("form", "locale", "url")
"""What an event may tell of the form beside its answers, where schema.yaml declares it."""
RESERVED: Final = frozenset({"t", "once", "next", "lang", "leave_empty", "consents", *TOLD})
"""Names that mean something else among the answers."""
_CONTACT: Final = {"email": "email", "phone": "phone"}
_FITTING: Final = {
    "number": {"number"}, "integer": {"integer", "number"}, "checkbox": {"boolean"},
    "date": {"date", "datetime", "string"},
}  # fmt: skip


def compile_forms(files: ProjectFiles) -> tuple[dict[str, Form], list[Problem]]:
    """The forms by name, and what is wrong with them beside their shapes."""
    found: dict[str, Form] = {}
    problems: list[Problem] = []
    for name, (model, document) in files.forms.items():
        fields = Fields(document)
        found[name] = _Compiling(files, model, fields).form()
        problems += fields.problems
    return found, problems


class _Compiling:
    def __init__(self, files: ProjectFiles, model: FormModel, fields: Fields) -> None:
        self._files = files
        self._model = model
        self._fields = fields
        declared = files.schema.events.get(model.event)
        self._declared: Mapping[str, Any] | None = declared
        if declared is None and "schema" not in files.unsure:
            hint = did_you_mean(model.event, list(files.schema.events)) or "declare it in journeys/schema.yaml"
            message = f"no event '{model.event}' is declared, by which journeys would hear of this form"
            at: Path = ("event",) if "event" in model.model_fields_set else ()
            fields.complain(at, "unknown_event", message, hint)

    def form(self) -> Form:
        model = self._model
        questions = tuple(self._field(name, spec) for name, spec in model.fields.items())
        boxes = tuple(self._consent(number, box) for number, box in enumerate(model.consents))
        if not any(one.attribute in ("email", "phone") for one in questions):
            message = "the form asks for neither an e-mail address nor a phone number: nobody would be known by it"
            self._fields.complain(("fields",), "form_without_address", message, "add `email: {type: email}`", key=True)
        filled = {one.attribute for one in questions}
        for number, box in enumerate(boxes):
            for channel in box.channels:
                needs = "email" if channel == "email" else "phone" if channel in ("sms", "whatsapp") else None
                if needs is not None and needs not in filled:
                    message = f"the box is about {channel}, and the form asks for no {needs}"
                    self._fields.complain(("consents", number, "channels"), "form_without_address", message)
        return Form(
            model.form,
            model.event,
            questions,
            self._words(model.title, ("title",)),
            self._words(model.intro, ("intro",)),
            self._words(model.button, ("button",)),
            self._words(model.done, ("done",)),
            boxes,
            frozenset(name for name in TOLD if self._declared is not None and name in self._declared),
            tuple(self._address(url, ("redirect", n), path=True) for n, url in enumerate(model.redirect)),
            tuple(self._address(url, ("origins", n), path=False) for n, url in enumerate(model.origins)),
            model.limit.max,
            self._fields.fixed(model.limit.per, ("limit", "per")) or timedelta(hours=1),
        )

    def _field(self, name: str, spec: FieldModel) -> FormField:
        at: Path = ("fields", name)
        complain = self._fields.complain
        if name in RESERVED or name.startswith("consent"):
            complain(at, "bad_value", f"a form uses the name '{name}' itself", "give the field another name", key=True)
        if spec.type == "choice" and not spec.options:
            complain(
                at, "missing_key", f"the choice '{name}' has no `options`", "add options: {a: Label, ...}", key=True
            )
        if spec.type == "hidden" and spec.required:
            complain((*at, "required"), "bad_value", "nobody can fill a hidden field", "take `required` out")
        attribute = spec.to.removeprefix("customer.") if spec.to is not None else _CONTACT.get(spec.type)
        if attribute is not None:
            self._fits(attribute, spec, at)
        elif self._declared is not None and name not in self._declared:
            hint = (
                did_you_mean(name, list(self._declared))
                or "declare it in journeys/schema.yaml, or say `to: customer....`"
            )
            complain(
                at, "unknown_property", f"no property '{name}' of '{self._model.event}' is declared", hint, key=True
            )
        options = {value: self._words(words, (*at, "options", value)) for value, words in spec.options.items()}
        label = self._words(spec.label, (*at, "label")) or {DEFAULT: name.replace("_", " ").capitalize()}
        return FormField(name, spec.type, label, spec.required, options, attribute, spec.value)

    def _fits(self, attribute: str, spec: FieldModel, at: Path) -> None:
        if attribute in _CONTACT and spec.type != attribute:
            message = f"customer.{attribute} is filled by a field of `type: {attribute}`"
            self._fields.complain((*at, "to"), "type_clash", message)
            return
        known = self._files.schema.customer
        if (
            attribute in ("email", "phone", "timezone", "locale", "country", "currency")
            or "schema" in self._files.unsure
        ):
            return
        declared = known.get(attribute)
        if declared is None:
            hint = did_you_mean(attribute, list(known)) or "declare it in journeys/schema.yaml"
            self._fields.complain((*at, "to"), "unknown_attribute", f"no attribute '{attribute}' is declared", hint)
        elif declared.type not in _FITTING.get(spec.type, {"string"}):
            message = f"customer.{attribute} is {declared.type}, and the answer is {spec.type}"
            self._fields.complain((*at, "to"), "type_clash", message)

    def _consent(self, number: int, box: ConsentModel) -> ConsentBox:
        at: Path = ("consents", number)
        topics = self._files.project.topics
        if box.topic not in topics and "project" not in self._files.unsure:
            hint = did_you_mean(box.topic, list(topics)) or "declare it under `topics` in journeys/project.yaml"
            self._fields.complain((*at, "topic"), "unknown_topic", f"no topic '{box.topic}' is declared", hint)
        if any(other.topic == box.topic for other in self._model.consents[:number]):
            message = f"there is a box about '{box.topic}' already"
            self._fields.complain((*at, "topic"), "bad_value", message, "name all channels in one box")
        return ConsentBox(box.topic, tuple(box.channels), self._words(box.wording, (*at, "wording")), box.required)

    def _words(self, words: Mapping[str, str], at: Path) -> dict[str, str]:
        found = {}
        for locale, text in words.items():
            normal = locale if locale == DEFAULT else normal_locale(locale)
            if normal is None:
                hint = "write en, zh, zh-Hant, pt-BR ..., or default"
                self._fields.complain((*at, locale), "bad_value", f"'{locale}' is no locale", hint, key=True)
            else:
                found[normal] = text
        return found

    def _address(self, url: str, at: Path, path: bool) -> str:
        try:
            parts = urlsplit(url)
            host, port = parts.hostname or "", parts.port
        except ValueError:
            parts, host, port = urlsplit(""), "", None
        local = host in ("localhost", "127.0.0.1")
        plain = url.isascii() and url.isprintable() and " " not in url and "\\" not in url and "@" not in parts.netloc
        if not host or not plain or parts.scheme not in ("https", "http") or (parts.scheme == "http" and not local):
            example = "https://www.example.com/thanks" if path else "https://www.example.com"
            self._fields.complain(at, "bad_value", f"'{url[:80]}' is no https address", f"write {example}")
            return ""
        if path:
            return url
        if parts.path not in ("", "/") or parts.query or parts.fragment:
            self._fields.complain(at, "bad_value", "an origin has no path", f"write {parts.scheme}://{parts.netloc}")
        return f"{parts.scheme}://{host}" + (f":{port}" if port is not None else "")
