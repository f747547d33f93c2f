"""One template variant from its files: front matter, includes, what it needs from the engine, its finished parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from jinja2 import TemplateSyntaxError

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.errors import Problem
from orchestrator.templating.assets import FOLDER, Asset, check_assets
from orchestrator.templating.attaching import IMAGES, MOST_BYTES, PICTURES, is_attaching
from orchestrator.templating.binding import Binding
from orchestrator.templating.environment import LEXER, TEXT, parse
from orchestrator.templating.front_matter import FrontMatter, Value, read_front_matter
from orchestrator.templating.html_parts import check_body
from orchestrator.templating.html_scan import scan
from orchestrator.templating.includes import Includer
from orchestrator.templating.pieces import Atom, Data, Piece, PieceError, split
from orchestrator.templating.positions import Position, SourceMap
from orchestrator.templating.structured import main_text, read_structure
from orchestrator.templating.templates import Parts, TemplateVariant

_EMAIL_KEYS = ("subject", "preheader", "topic", "from", "reply_to", "attachments", "images")
_FIELDS = ("url", "image")
_TEXT_KEYS = ("topic", "from")
_TAGS = ("if", "elif", "else", "endif", "for", "endfor", "set", "with", "endwith", "include", "raw", "endraw")
_WARNINGS = frozenset({"script", "remote_stylesheet", "remote_image", "no_subject"})


class VariantFiles(NamedTuple):
    """The files of one variant. `main` and `beside` (its text part) are paths in `texts`, as are the `partials`."""

    channel: str
    name: str
    locale: str | None
    kind: str
    main: str
    beside: str | None
    texts: Mapping[str, str]
    partials: Mapping[str, str]
    assets: Mapping[str, Asset]


def build_variant(files: VariantFiles, problems: list[Problem]) -> TemplateVariant:
    """Read one variant; what is wrong with it is added to `problems`. The variant comes back in any case."""
    return _Builder(files, problems).build()


class _Builder:
    def __init__(self, files: VariantFiles, problems: list[Problem]) -> None:
        self.files = files
        self.problems = problems
        self.sources = SourceMap()
        self.binding = Binding()
        self.used: list[str] = []
        self.assets: dict[str, Asset] = {}
        self.sound = True
        self.readable = True

    # --- what is wrong ----------------------------------------------------------------------------------------------

    def report(self, code: str, mark: int, message: str, hint: str | None = None) -> None:
        place = self.sources.position(mark)
        warning = code in _WARNINGS
        self.sound = self.sound and warning
        self.problems.append(
            Problem(place.path, place.line, place.column, code, message, hint, "warning" if warning else "error")
        )

    # --- the whole --------------------------------------------------------------------------------------------------

    def build(self) -> TemplateVariant:
        files = self.files
        text = files.texts[files.main]
        base = self.sources.add(f"templates/{files.main}", text)
        if files.kind == "yaml":
            values: Mapping[str, Value] = read_structure(
                files.channel, text, lambda code, at, *rest: self.report(code, base + at, *rest)
            )
            parts = self._structured(values, base)
        else:
            known = (
                _EMAIL_KEYS
                if files.channel == "email"
                else _TEXT_KEYS
                if files.channel == "sms"
                else (*_TEXT_KEYS, "title", "url", "image")
            )
            front = read_front_matter(text, known, lambda code, at, *rest: self.report(code, base + at, *rest))
            values = front.values
            parts = self._message(front, text, base)
        return self._variant(values, parts)

    def _variant(self, values: Mapping[str, Value], parts: Parts) -> TemplateVariant:
        files, binding = self.files, self.binding
        texts = {path: files.texts[path] for path in (files.main, files.beside, *self.used) if path is not None}

        def places(marks: Mapping[str, list[int]]) -> dict[str, tuple[Position, ...]]:
            return {key: tuple(dict.fromkeys(map(self.sources.position, found))) for key, found in marks.items()}

        def source(key: str) -> str | None:
            return values[key].text if key in values else None

        return TemplateVariant(
            channel=files.channel,
            name=files.name,
            locale=files.locale,
            path=f"templates/{files.main}",
            content_hash=_content_hash(files.channel, files.locale, texts, self.assets),
            topic=self._topic(values),
            subject=source("subject") if source("subject") is not None else source("title"),
            preheader=source("preheader"),
            sender=source("from"),
            reply_to=source("reply_to"),
            uses=tuple((key, key) for key in binding.slots),
            positions=places(binding.marks),
            names=places(binding.names),
            specials=frozenset(binding.specials),
            zoned=binding.dated,
            files=tuple(texts.items()),
            assets=tuple(self.assets.values()),
            parts=replace(parts, sources=self.sources) if self.sound else Parts(sources=self.sources),
        )

    def _topic(self, values: Mapping[str, Value]) -> str | None:
        if "topic" not in values:
            return None
        topic = values["topic"]
        if "{{" in topic.text or "{%" in topic.text:
            base = self.sources.add(f"templates/{self.files.main}", "")
            self.report(
                "template_syntax", base + topic.offset, "a topic is a plain word", "choose the topic in the step"
            )
        return topic.text.strip()

    # --- parts ------------------------------------------------------------------------------------------------------

    def _structured(self, values: Mapping[str, Value], base: int) -> Parts:
        pieces = {key: self._value(value, base) for key, value in values.items() if key != "topic"}
        fields = {key: part for key, part in pieces.items() if key not in ("title", "body")}
        self._find_assets(fields.get("image", []), link=True)
        shown = [pieces[key] for key in main_text(self.files.channel, values)]
        text = [piece for number, part in enumerate(shown) for piece in ([Data("\n", base)] if number else []) + part]
        return Parts(subject=pieces.get("title"), text=text, fields=fields)

    def _message(self, front: FrontMatter, text: str, base: int) -> Parts:
        values = front.values
        parts = Parts(
            subject=self._value(values["subject" if "subject" in values else "title"], base)
            if {"subject", "title"} & values.keys()
            else None,
            preheader=self._value(values["preheader"], base) if "preheader" in values else None,
            sender=self._value(values["from"], base) if "from" in values else None,
            reply_to=self._value(values["reply_to"], base) if "reply_to" in values else None,
            fields={key: self._value(values[key], base) for key in values if key in _FIELDS or is_attaching(key)},
        )
        self._check_attachments(values, base)
        self._find_assets(parts.fields.get("image", []), link=True)
        if self.files.channel == "email" and parts.subject is None and self.sound:
            self.report(
                "no_subject",
                base,
                "the email has no subject of its own",
                'begin the file with ---, subject: "...", ---',
            )
        body = self._body(text[front.body :], base + front.body, self.files.kind)
        if self.files.kind == "txt":
            return replace(parts, text=_trimmed(body))
        if self.readable:
            check_body(body, self.files.kind, self.report)
            self._find_assets(body)
        return replace(parts, html=body, kind=self.files.kind, text=self._beside())

    def _check_attachments(self, values: Mapping[str, Value], base: int) -> None:
        """Files have to be there, by plain names; pictures are inline or not."""
        if IMAGES in values and values[IMAGES].text.strip() not in PICTURES:
            message = f"`images` is {values[IMAGES].text[:40]!r}; expected {' or '.join(PICTURES)}"
            self.report("front_matter", base + values[IMAGES].offset, message, None)
        size = 0
        for key, value in values.items():
            if not (is_attaching(key) and key.endswith(".file")):
                continue
            name = value.text.strip().removeprefix(f"{FOLDER}/").removeprefix("assets/")
            asset = self.files.assets.get(name)
            if asset is None:
                hint = did_you_mean(name, self.files.assets) or f"put the file into {FOLDER}/"
                self.report("unknown_asset", base + value.offset, f"there is no file {FOLDER}/{name[:80]}", hint)
                continue
            self.assets[asset.name] = asset
            size += len(asset.data)
        if size > MOST_BYTES:
            message = f"the attachments have {size:,} bytes together; a message may carry {MOST_BYTES:,}"
            self.report("attachments_too_large", base, message, "link to the largest in the text instead")

    def _find_assets(self, pieces: list[Piece], *, link: bool = False) -> None:
        for asset in check_assets(pieces, self.files.assets, self.report, link=link):
            self.assets[asset.name] = asset

    def _beside(self) -> list[Piece] | None:
        """The text part written in a file of its own."""
        if self.files.beside is None:
            return None
        text = self.files.texts[self.files.beside]
        base = self.sources.add(f"templates/{self.files.beside}", text)
        front = read_front_matter(text, (), lambda code, at, *rest: self.report(code, base + at, *rest))
        return _trimmed(self._body(text[front.body :], base + front.body, "txt"))

    def _value(self, value: Value, base: int) -> list[Piece]:
        pieces = self._split(value.text, base + value.offset, value.exact)
        self._needs(pieces)
        return pieces

    def _body(self, text: str, mark: int, kind: str) -> list[Piece]:
        includer = Includer(
            self.files.channel,
            kind,
            self.files.locale,
            frozenset(self.files.partials),
            self._partial,
            self.report,
            self.used,
        )
        pieces = includer.expand(self._split(text, mark))
        if kind != "txt":
            pieces = scan(pieces).pieces  # what stands in an HTML comment needs nothing and reaches nobody
        self._needs(pieces)
        return pieces

    def _partial(self, path: str) -> list[Piece]:
        text = self.files.partials[path]
        pieces = self._split(text, self.sources.add(f"templates/{path}", text))
        return _trimmed(pieces) if path.endswith(".txt") else pieces

    def _split(self, text: str, mark: int, exact: bool = True) -> list[Piece]:
        try:
            return split(text, mark, LEXER, exact)
        except PieceError as error:
            self.report("template_syntax", error.mark, error.message, error.hint)
            self.readable = False
            return []

    def _needs(self, pieces: list[Piece]) -> None:
        """Parse, check, and note what the engine has to work out."""
        known = len(self.binding.findings)
        try:
            self.binding.bind(parse(pieces, TEXT))
            for finding in self.binding.findings[known:]:
                self.report(*finding)
        except TemplateSyntaxError as error:
            self._syntax(pieces, error)
        except (RecursionError, ValueError, MemoryError):
            mark = pieces[0].mark if pieces else 1
            message = "the tags here nest too deep or hold too large a number"
            self.report("template_too_deep", mark, message, "simplify it")

    def _syntax(self, pieces: list[Piece], error: TemplateSyntaxError) -> None:
        message = (error.message or "unreadable").rstrip(".")
        mark, hint = error.lineno, _syntax_hint(message)
        if message.startswith("Unexpected end of template") and (block := _never_closed(pieces)) is not None:
            message, hint = f"{{% {block.word} %}} is never closed", f"add {{% end{block.word} %}}"
            mark = block.mark
        elif "unknown tag" in message:
            tokens = (token for piece in pieces if isinstance(piece, Atom) for token in piece.tokens)
            word = next((text for at, _, text in tokens if at == mark), "")
            message = f"there is no {{% {word} %}} here"
            hint = "what it belongs to begins nowhere before it" if word in _TAGS else did_you_mean(word, _TAGS) or hint
        self.report("template_syntax", mark, message, hint)


def _never_closed(pieces: list[Piece]) -> Atom | None:
    """The innermost block that is still open at the end."""
    waiting: list[Atom] = []
    for piece in pieces:
        if isinstance(piece, Atom) and piece.word in ("if", "for", "with"):
            waiting.append(piece)
        elif isinstance(piece, Atom) and piece.word.startswith("end") and waiting:
            waiting.pop()
    return waiting[-1] if waiting else None


def _trimmed(pieces: list[Piece]) -> list[Piece]:
    """Without the empty lines before and after, which editors and front matter leave."""
    out = list(pieces)
    if out and isinstance(out[0], Data):
        out[0] = Data(out[0].text.lstrip("\n"), out[0].mark)
    if out and isinstance(out[-1], Data):
        out[-1] = Data(out[-1].text.rstrip(), out[-1].mark)
    return out


def _content_hash(channel: str, locale: str | None, texts: Mapping[str, str], assets: Mapping[str, Asset]) -> str:
    """32 hex digits over channel, language, and the kind and bytes of every file in the order of their use, the assets
    it names among them."""
    digest = hashlib.blake2b(f"{channel}\x1f{locale or ''}".encode(), digest_size=16)
    for path, text in texts.items():
        data = text.encode("utf-8", "surrogatepass")
        digest.update(f"\x1f{path.rpartition('.')[2]}\x1f{len(data)}\x1f".encode() + data)
    for asset in assets.values():
        digest.update(f"\x1fasset\x1f{asset.name}\x1f{asset.content_hash}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _syntax_hint(message: str) -> str | None:
    if "expected token 'end of print statement'" in message:
        return "one expression stands between {{ and }}; put values and text together with ~"
    if "unknown tag" in message:
        return f"available: {', '.join(_TAGS)}"
    return None
