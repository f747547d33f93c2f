"""Templates without a body: a push message, a WhatsApp or WeChat template, an entry of the inbox, as a YAML file.

    title: "{{ customer.first_name | default('Hello') }}, your basket is waiting"
    body: Two minutes and it is yours
    data: {cart: "{{ entry.key }}"}

Every value is a template of its own. A list or mapping is read into values with dotted names (`data.cart`,
`parameters.0`), and put together again by `nested` when the message was rendered, because rows, previews and the
renderer know single texts only.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import quote

import yaml

from orchestrator.core.expression.nearest import did_you_mean, known_words
from orchestrator.core.time.durations import parse_fixed
from orchestrator.core.time.iso import parse_instant
from orchestrator.templating.failure import ValueRefused
from orchestrator.templating.front_matter import Report, Value, read_mapping, value_at

Shape: TypeAlias = Literal["text", "list", "mapping", "either", "steps"]
"""A text; a list or a mapping of texts, or either; `steps` is a list of mappings."""

KEYS: Final[Mapping[str, Mapping[str, Shape]]] = {
    "push": {
        "title": "text", "body": "text", "image": "text", "url": "text", "data": "mapping", "ttl": "text",
        "collapse": "text", "urgency": "text", "topic": "text",
    },
    "whatsapp": {
        "template": "text", "language": "text", "header": "mapping", "parameters": "either", "buttons": "steps",
        "body": "text", "topic": "text",
    },
    "wechat": {
        "template": "text", "data": "mapping", "url": "text", "miniprogram": "mapping", "page": "text",
        "title": "text", "body": "text", "topic": "text",
    },
    "inbox": {
        "title": "text", "body": "text", "url": "text", "image": "text", "action": "text", "expires": "text",
        "data": "mapping", "topic": "text",
    },
}  # fmt: skip
"""What a file of each channel may hold."""
REQUIRED: Final[Mapping[str, tuple[str, ...]]] = {"push": ("title", "body"), "inbox": ("title", "body")}
INNER: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {
    ("whatsapp", "header"): ("text", "image", "video", "document"),
    ("whatsapp", "buttons"): ("url", "payload", "code"),
    ("wechat", "miniprogram"): ("appid", "page"),
}
"""The keys that a mapping may hold, where they are not the author's own."""
WORDS: Final[Mapping[tuple[str, str], tuple[str, ...]]] = {("push", "urgency"): ("very-low", "low", "normal", "high")}
LARGEST: Final = {"push": 3_800, "whatsapp": 4_096, "wechat": 2_048, "inbox": 20_000}
"""Bytes of all the fixed text of a file. Push: a browser's message has 3,993 bytes of plaintext (RFC 8291, section 4),
those of APNs and FCM 4,096, and some of each is taken by the names of fields."""
LONGEST_COLLAPSE: Final = 64
"""Bytes of an apns-collapse-id."""

_KEY: Final = re.compile(r"[A-Za-z0-9_-]{1,60}")
_RESERVED: Final = re.compile(r"(?:from|message_type|collapse_key|notification)\Z|google|gcm|aps\Z", re.IGNORECASE)
"""Names in `data` that FCM or APNs keep for themselves."""
_TAG: Final = re.compile(r"\{[{%#]")
_UNSAFE: Final = re.compile(r"(?:javascript|data|vbscript|file|blob|about):", re.IGNORECASE)
_LINKS: Final = frozenset({"url", "image"})


class _Reader:
    """Reads one file."""

    def __init__(self, channel: str, text: str, report: Report) -> None:
        self.channel = channel
        self.text = text
        self.tell = report
        self.values: dict[str, Value] = {}
        self.places: dict[str, int] = {}

    def read(self) -> dict[str, Value]:
        known = KEYS[self.channel]
        node = read_mapping(self.text, 0, self.tell)
        for key, at, value in self._pairs(node) if node is not None else ():
            if key not in known:
                hint = did_you_mean(key, known) or f"possible: {known_words(known)}"
                self.tell("unknown_front_matter", at, f"'{key}' is unknown in a template of {self.channel}", hint)
                continue
            self.places[key] = at
            self._take(key, known[key], value)
        return self.values

    def _pairs(self, node: yaml.MappingNode) -> Iterator[tuple[str, int, yaml.Node]]:
        seen = set()
        for key_node, value in node.value:
            at = key_node.start_mark.index
            if not isinstance(key_node, yaml.ScalarNode):
                message = "a value that begins with a tag needs quotes"
                self.tell("front_matter", at, message, 'write it as: title: "{{ ... }}"')
                continue
            key = str(key_node.value)
            if key in seen:
                self.tell("duplicate_key", at, f"'{key}' stands here a second time", "keep one of the two lines")
                continue
            seen.add(key)
            yield key, at, value

    def _take(self, key: str, shape: Shape, node: yaml.Node) -> None:
        at = node.start_mark.index
        if isinstance(node, yaml.ScalarNode):
            if shape != "text":
                wanted = "a mapping of names to texts" if shape == "mapping" else "a list"
                self.tell("front_matter", at, f"'{key}' must be {wanted}", "write one of them a line, indented")
                return
            self.values[key] = value_at(self.text, 0, node, self.tell)
        elif isinstance(node, yaml.SequenceNode) and shape in ("list", "either", "steps"):
            for number, item in enumerate(node.value):
                if shape == "steps" and isinstance(item, yaml.MappingNode):
                    self._mapping(key, f"{key}.{number}", item)
                else:
                    self._scalar(f"{key}.{number}", item, shape == "steps")
        elif isinstance(node, yaml.MappingNode) and shape in ("mapping", "either"):
            self._mapping(key, key, node)
        else:
            self.tell("front_matter", at, f"'{key}' must be one text", 'write it in quotes: "{{ ... }}"')

    def _mapping(self, key: str, path: str, node: yaml.MappingNode) -> None:
        possible = INNER.get((self.channel, key))
        for name, at, value in self._pairs(node):
            if possible is not None and name not in possible:
                hint = did_you_mean(name, possible) or f"possible: {known_words(possible)}"
                self.tell("unknown_front_matter", at, f"'{name}' is unknown in '{key}'", hint)
            elif not _KEY.fullmatch(name):
                self.tell("front_matter", at, f"'{name[:60]}' is no name", "use letters, digits, _ and -")
            elif self.channel == "push" and key == "data" and _RESERVED.match(name):
                hint = f"call it app_{name.replace('.', '_')}"
                self.tell("front_matter", at, f"the name '{name}' in 'data' is kept by the push services", hint)
            else:
                self._scalar(f"{path}.{name}", value)

    def _scalar(self, path: str, node: yaml.Node, mapping: bool = False) -> None:
        if isinstance(node, yaml.ScalarNode) and not mapping:
            self.values[path] = value_at(self.text, 0, node, self.tell)
            return
        wanted = "a mapping such as {url: ...}" if mapping else "one text"
        self.tell("front_matter", node.start_mark.index, f"'{path}' must be {wanted}", 'write texts in quotes: "..."')


def read_structure(channel: str, text: str, report: Report) -> dict[str, Value]:
    """A file's values by their dotted names. What is wrong goes to `report`."""
    reader = _Reader(channel, text, report)
    values = reader.read()
    _check(channel, values, reader.places, report)
    return values


def _check(channel: str, values: Mapping[str, Value], places: Mapping[str, int], report: Report) -> None:
    for key in REQUIRED.get(channel, ()):
        if key not in places or (key in values and not values[key].text.strip()):
            at = places.get(key, 0)
            report("missing_key", at, f"a template of {channel} needs a '{key}'", f'add a line: {key}: "..."')
    if channel in ("whatsapp", "wechat") and not places.keys() & {"template", "body"}:
        hint = "name a template that the provider approved, or write the text as body: ..."
        report("missing_key", 0, f"a template of {channel} needs 'template' or 'body'", hint)
    if channel == "whatsapp" and "template" in places and "language" not in places:
        report("missing_key", places["template"], "a template of WhatsApp has a 'language'", "such as language: en_US")
    if channel == "wechat" and "template" in places and "data" not in places:
        report("missing_key", places["template"], "a template of WeChat has 'data'", "such as data: {thing1: ...}")
    for key, value in values.items():
        fault = None if _TAG.search(value.text) else _fault(channel, key, value.text.strip())
        if fault is not None:
            report("bad_value", value.offset, f"{key}: {fault}", None)
    size = sum(len(value.text.encode("utf-8", "replace")) for value in values.values())
    if size > LARGEST[channel]:
        message = f"the texts have {size:,} bytes; {channel} takes {LARGEST[channel]:,} together, tags included"
        report("too_long", 0, message, "make it shorter")


def _fault(channel: str, key: str, text: str) -> str | None:
    """What is wrong with a value that holds no tag."""
    words = WORDS.get((channel, key))
    if words is not None and text not in words:
        return f"'{text[:40]}' is none of {known_words(words)}"
    if key == "collapse" and len(text.encode("utf-8", "replace")) > LONGEST_COLLAPSE:
        return f"it has more than {LONGEST_COLLAPSE} bytes"
    try:
        if key == "ttl":
            seconds_of(text)
        elif key == "expires":
            expiry_of(text)
        elif key in _LINKS and _UNSAFE.match(text):
            return f"a link cannot begin with '{text.partition(':')[0]}:'"
    except ValueError as error:
        return str(error)
    return None


def seconds_of(text: str) -> int:
    """How long a push service may keep a message: a duration (`12h`), or seconds. Raises ValueError."""
    text = text.strip()
    if text.isascii() and text.isdigit() and len(text) < 10:
        return int(text)
    return int(parse_fixed(text).total_seconds())


def expiry_of(text: str) -> timedelta | datetime:
    """When an entry of the inbox ends: a duration from its sending (a timedelta), or an instant. Raises ValueError."""
    text = text.strip()
    if text[:4].isdigit() and "-" in text:
        return parse_instant(text)
    return parse_fixed(text)


def main_text(channel: str, values: Mapping[str, Value]) -> tuple[str, ...]:
    """The values that are a message's text for people: its body, else what fills the provider's own wording."""
    if "body" in values:
        return ("body",)
    return tuple(key for key in values if key.partition(".")[0] in ("parameters", "data"))


def finished_field(key: str, text: str) -> str:
    """A rendered value as it is handed over. A link keeps no character that could end it. Raises ValueRefused."""
    if key not in _LINKS:
        return text
    link = quote(text.strip(), safe="/?:@!$&'()*+,;=-._~%[]#", errors="replace")
    if _UNSAFE.match(link):
        raise ValueRefused(f"{key}: a link cannot begin with '{link.partition(':')[0]}:'")
    return link


def nested(fields: Mapping[str, str]) -> dict[str, Any]:
    """The lists and mappings put together again: {'data.cart': 'c1'} is {'data': {'cart': 'c1'}}."""
    out: dict[str, Any] = {}
    for path, text in fields.items():
        parts = path.split(".")
        inside: dict[str, Any] = out
        for part in parts[:-1]:
            inside = inside.setdefault(part, {})
        inside[parts[-1]] = text
    return {key: _listed(value) for key, value in out.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(item) for key, item in value.items()}
    return list(inner.values()) if all(key == str(number) for number, key in enumerate(inner)) else inner


class Known(NamedTuple):
    """One key of a file, as its JSON Schema says it."""

    shape: Shape
    possible: tuple[str, ...]
    """Words for a text, names for a mapping; empty: any."""


def known_keys(channel: str) -> dict[str, Known]:
    """The keys of a channel's files."""
    found = KEYS[channel].items()
    return {key: Known(shape, WORDS.get((channel, key)) or INNER.get((channel, key)) or ()) for key, shape in found}
