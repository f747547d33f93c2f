"""One template variant from its files: front matter, includes, what it needs from the engine, its finished parts."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from jinja2 import TemplateSyntaxError, nodes

from orchestrator.errors import Problem
from orchestrator.templating.binding import Binding
from orchestrator.templating.environment import LEXER, TEXT, parse
from orchestrator.templating.failure import ValueRefused
from orchestrator.templating.front_matter import FrontMatter, Value, read_fields, read_front_matter
from orchestrator.templating.html_rules import check_html, guarded
from orchestrator.templating.html_scan import Scan, scan
from orchestrator.templating.includes import Includer
from orchestrator.templating.inlining import DEEPEST_HTML, has_styles, inline_once
from orchestrator.templating.mjml import check_mjml, compile_once
from orchestrator.templating.pieces import Atom, Data, Piece, PieceError, RawToken, split
from orchestrator.templating.plain_text import text_once
from orchestrator.templating.positions import Position, SourceMap
from orchestrator.templating.templates import Parts, TemplateVariant

_EMAIL_KEYS = ("subject", "preheader", "topic", "from", "reply_to")
_TEXT_KEYS = ("topic", "from")
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
        self.sound = True

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
            values: Mapping[str, Value] = read_fields(
                text, None, lambda code, at, *rest: self.report(code, base + at, *rest)
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
            content_hash=_content_hash(files.channel, texts),
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
        return Parts(subject=pieces.get("title"), text=pieces.get("body"), fields=fields)

    def _message(self, front: FrontMatter, text: str, base: int) -> Parts:
        values = front.values
        parts = Parts(
            subject=self._value(values["subject" if "subject" in values else "title"], base)
            if {"subject", "title"} & values.keys()
            else None,
            preheader=self._value(values["preheader"], base) if "preheader" in values else None,
            sender=self._value(values["from"], base) if "from" in values else None,
            reply_to=self._value(values["reply_to"], base) if "reply_to" in values else None,
            fields={key: self._value(values[key], base) for key in ("url", "image") if key in values},
        )
        if self.files.channel == "email" and parts.subject is None:
            self.report(
                "no_subject",
                base,
                "the email has no subject of its own",
                'begin the file with ---, subject: "...", ---',
            )
        body = self._body(text[front.body :], base + front.body, self.files.kind)
        if self.files.kind == "txt":
            return replace(parts, text=_trimmed(body))
        beside = self._beside()
        finished = self._html(body)
        return replace(
            finished,
            subject=parts.subject,
            preheader=parts.preheader,
            sender=parts.sender,
            reply_to=parts.reply_to,
            text=beside if beside is not None else finished.text,
            text_derived=beside is None,
        )

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
            return []

    def _needs(self, pieces: list[Piece]) -> None:
        """Parse, check, and note what the engine has to work out; compile once, so that nothing fails later."""
        known = len(self.binding.findings)
        try:
            tree = self.binding.bind(parse(pieces, TEXT))
            for finding in self.binding.findings[known:]:
                self.report(*finding)
            if len(self.binding.findings) == known:
                _check_blocks(tree)
        except TemplateSyntaxError as error:
            self.report(
                "template_syntax", error.lineno, error.message or "unreadable", _syntax_hint(error.message or "")
            )
        except (RecursionError, ValueError, MemoryError) as error:
            mark = pieces[0].mark if pieces else 1
            reason = (
                str(error)
                if isinstance(error, ValueRefused)
                else "the tags here nest too deep or hold too large a number"
            )
            self.report("template_too_deep", mark, reason, "simplify it")

    # --- HTML -------------------------------------------------------------------------------------------------------

    def _html(self, body: list[Piece]) -> Parts:
        scanned = scan(body)
        check_html(scanned, self.report)
        own_preview = any(tag.name == "mj-preview" for tag in scanned.tags)
        if self.files.kind == "mjml":
            check_mjml(scanned, self.report)
        elif scanned.depth > DEEPEST_HTML:
            self.report(
                "html_too_deep", scanned.tags[0].mark, f"elements nest more than {DEEPEST_HTML} deep", "close them"
            )
        if not self.sound:
            return Parts(own_preview=own_preview)
        styled = has_styles(scanned)
        if self.files.kind == "mjml":
            styled = any(tag.name == "mj-style" for tag in scanned.tags)
            compiled = self._compiled(scanned)
            if compiled is None:
                return Parts(
                    html=guarded(scanned, mjml=True), compile_late=True, inline_late=styled, own_preview=own_preview
                )
            scanned = scan(_with_language(compiled, self.files.locale))
        return self._styled(scanned, styled, own_preview)

    def _styled(self, scanned: Scan, styled: bool, own_preview: bool) -> Parts:
        inlined = inline_once(scanned) if styled else scanned.pieces
        if inlined is not None:
            scanned = scan(inlined)
        html = guarded(scanned)
        text = text_once(scan(html))
        return Parts(
            html=_with_preheader(html, own_preview), text=text, inline_late=inlined is None, own_preview=own_preview
        )

    def _compiled(self, scanned: Scan) -> list[Piece] | None:
        try:
            return compile_once(scanned)
        except ValueRefused as error:
            self.report(
                "mjml_invalid", scanned.tags[0].mark if scanned.tags else 1, str(error), "close every element as in XML"
            )
            return []


def _check_blocks(tree: nodes.Template) -> None:
    """Raises ValueRefused where loops nest deeper than Python compiles."""
    level: list[nodes.Node] = list(tree.body)
    for _ in range(18):
        level = [inner for node in level for loop in _loops(node) for inner in loop.body]
        if not level:
            return
    raise ValueRefused("loops nest more than 17 deep")


def _loops(node: nodes.Node) -> list[nodes.For]:
    return (
        [node] if isinstance(node, nodes.For) else [loop for child in node.iter_child_nodes() for loop in _loops(child)]
    )


def _trimmed(pieces: list[Piece]) -> list[Piece]:
    """Without the empty lines before and after, which editors and front matter leave."""
    out = list(pieces)
    if out and isinstance(out[0], Data):
        out[0] = Data(out[0].text.lstrip("\n"), out[0].mark)
    if out and isinstance(out[-1], Data):
        out[-1] = Data(out[-1].text.rstrip(), out[-1].mark)
    return out


def _with_language(pieces: list[Piece], locale: str | None) -> list[Piece]:
    """MJML writes lang="und": the translation's own language, or none, says more."""
    wanted = f' lang="{locale}"' if locale else ""
    return [Data(p.text.replace(' lang="und"', wanted), p.mark) if isinstance(p, Data) else p for p in pieces]


def _with_preheader(pieces: list[Piece], own_preview: bool) -> list[Piece]:
    """A place for the hidden preheader, first in the body."""
    if own_preview:
        return pieces
    tokens: tuple[RawToken, ...] = ((1, "variable_begin", "{{"), (1, "name", "_preheader"), (1, "variable_end", "}}"))
    place = Atom("output", "", tokens, 1)
    inside = False
    for number, piece in enumerate(pieces):
        if isinstance(piece, Atom):
            continue
        start = 0 if inside else piece.text.lower().find("<body")
        if start < 0:
            continue
        inside = True
        end = piece.text.find(">", start)
        if end >= 0:
            split_pieces: list[Piece] = [
                Data(piece.text[: end + 1], piece.mark),
                place,
                Data(piece.text[end + 1 :], piece.mark),
            ]
            return [*pieces[:number], *split_pieces, *pieces[number + 1 :]]
    return [place, *pieces]


def _content_hash(channel: str, texts: Mapping[str, str]) -> str:
    """32 hex digits over the kind and bytes of every file, in the order in which they are used."""
    digest = hashlib.blake2b(channel.encode(), digest_size=16)
    for path, text in texts.items():
        data = text.encode("utf-8", "surrogatepass")
        digest.update(f"\x1f{path.rpartition('.')[2]}\x1f{len(data)}\x1f".encode() + data)
    return digest.hexdigest()


def _syntax_hint(message: str) -> str | None:
    if "expected token 'end of print statement'" in message:
        return "one expression stands between {{ and }}; put values and text together with ~"
    if "unknown tag" in message:
        return "available: if, elif, else, endif, for, endfor, set, with, endwith, include"
    return None
