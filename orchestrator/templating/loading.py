"""All template files of a project, read once: every problem with its place, and a library of what can be rendered."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.errors import Problem
from orchestrator.templating.assets import Asset, asset_of, read_assets
from orchestrator.templating.building import VariantFiles, build_variant
from orchestrator.templating.locales import normal_locale
from orchestrator.templating.templates import CHANNELS, TemplateLibrary, TemplateSet, TemplateVariant

FOLDER = "templates"
LARGEST_FILE = 300_000
"""Bytes; mail programs cut messages off at a third of that."""

_KINDS: Mapping[str, tuple[str, ...]] = {
    "email": ("mjml", "html", "txt"),
    "sms": ("txt",),
    **dict.fromkeys(("push", "whatsapp", "wechat", "inbox"), ("yaml", "txt")),
}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")


class _File(NamedTuple):
    channel: str
    name: str
    locale: str | None
    kind: str
    path: str


def load_templates(root: Path) -> TemplateLibrary:
    """The templates below `root`/templates; `root` is the project folder. Problems are in the library, not raised."""
    folder = root / FOLDER
    contents: dict[str, bytes] = {}
    problems: list[Problem] = []
    top = folder.resolve()
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        relative = path.relative_to(folder)
        if relative.parts[0] == "assets" or any(part.startswith(".") for part in relative.parts) or not path.is_file():
            continue
        if not path.resolve().is_relative_to(top):
            problems.append(
                _problem(
                    relative.as_posix(),
                    "template_file",
                    "this link leads out of the templates folder",
                    "copy the file here",
                )
            )
        elif path.stat().st_size > LARGEST_FILE:
            problems.append(
                _problem(
                    relative.as_posix(),
                    "template_file",
                    f"the file has more than {LARGEST_FILE:,} bytes",
                    "make it smaller",
                )
            )
        else:
            contents[relative.as_posix()] = path.read_bytes()
    return _library(contents, problems, read_assets(folder / "assets", problems))


def load_template_files(files: Mapping[str, str | bytes]) -> TemplateLibrary:
    """The same from texts by their path below `templates`, such as TemplateVariant.files; assets as bytes."""
    contents = {
        path: text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text for path, text in files.items()
    }
    names = {path: path.removeprefix("assets/") for path in contents if path.startswith("assets/")}
    assets = {name: asset_of(name, contents.pop(path)) for path, name in names.items()}
    return _library(contents, [], assets)


def _library(contents: Mapping[str, bytes], problems: list[Problem], assets: Mapping[str, Asset]) -> TemplateLibrary:
    texts: dict[str, str] = {}
    for path, data in contents.items():
        text = _decoded(path, data, problems)
        if text is not None:
            texts[path] = text
    partials = {path: text for path, text in texts.items() if path.rpartition("/")[2].startswith("_")}
    files = [file for path in texts if path not in partials and (file := _named(path, problems)) is not None]
    variants = _variants(files, texts, partials, assets, problems)
    sets = _sets(variants, problems)
    unique = sorted(dict.fromkeys(problems), key=lambda p: (p.path, p.line, p.column, p.code))
    return TemplateLibrary(sets, tuple(unique), assets)


def _decoded(path: str, data: bytes, problems: list[Problem]) -> str | None:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        problems.append(_problem(path, "encoding", "the file is not UTF-8 here", "save it as UTF-8", line, column))
        return None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    if "\0" in text:
        at = text.index("\0")
        line, column = text.count("\n", 0, at) + 1, at - text.rfind("\n", 0, at)
        problems.append(_problem(path, "encoding", "the file holds a NUL character", "take it out", line, column))
        return None
    return text


def _named(path: str, problems: list[Problem]) -> _File | None:
    """Channel, name, locale and kind of a file, by its path."""
    channel, *rest = path.split("/")
    if not rest or channel not in CHANNELS:
        if rest or not path.lower().startswith("readme"):
            hint = did_you_mean(channel, [*CHANNELS, "assets"]) or f"folders: {', '.join(CHANNELS)}, assets"
            problems.append(
                _problem(path, "template_folder", "the file lies in no channel's folder", hint, severity="warning")
            )
        return None
    if len(rest) > 1:
        problems.append(
            _problem(
                path,
                "template_folder",
                "templates lie directly in their channel's folder",
                f"move it to {FOLDER}/{channel}/",
                severity="warning",
            )
        )
        return None
    stem, _, kind = rest[0].rpartition(".")
    kind = "yaml" if kind == "yml" else kind
    if kind not in _KINDS[channel]:
        if not rest[0].lower().startswith("readme"):
            possible = ", ".join(f".{kind}" for kind in _KINDS[channel])
            problems.append(
                _problem(
                    path,
                    "template_file",
                    f"no template of '{channel}' ends like this",
                    f"possible: {possible}",
                    severity="warning",
                )
            )
        return None
    name, _, locale_text = stem.partition(".")
    locale = normal_locale(locale_text) if locale_text else None
    if not _NAME.fullmatch(name):
        problems.append(
            _problem(path, "template_file", f"'{name}' is no name for a template", "use letters, digits, _ and -")
        )
        return None
    if locale_text and locale is None:
        problems.append(
            _problem(
                path, "template_locale", f"'{locale_text}' is no locale", "write one such as zh, pt-BR or zh-Hant-TW"
            )
        )
        return None
    return _File(channel, name, locale, kind, path)


def _variants(
    files: list[_File],
    texts: Mapping[str, str],
    partials: Mapping[str, str],
    assets: Mapping[str, Asset],
    problems: list[Problem],
) -> list[TemplateVariant]:
    grouped: dict[tuple[str, str, str | None], dict[str, _File]] = {}
    for file in files:
        kinds = grouped.setdefault((file.channel, file.name, file.locale), {})
        if file.kind in kinds or (file.kind in ("html", "mjml") and {"html", "mjml"} & kinds.keys()):
            other = next(iter(kinds.values())).path
            problems.append(
                _problem(
                    file.path, "duplicate_template", f"the same template as {FOLDER}/{other}", "keep one of the two"
                )
            )
            continue
        kinds[file.kind] = file
    built: list[TemplateVariant] = []
    for (channel, name, locale), kinds in sorted(
        grouped.items(), key=lambda item: (item[0][0], item[0][1], item[0][2] or "")
    ):
        main = kinds.get("mjml") or kinds.get("html") or kinds.get("yaml") or kinds["txt"]
        beside = kinds["txt"].path if main.kind != "txt" and "txt" in kinds else None
        built.append(
            build_variant(
                VariantFiles(channel, name, locale, main.kind, main.path, beside, texts, partials, assets),
                problems,
            )
        )
    return built


def _sets(variants: list[TemplateVariant], problems: list[Problem]) -> dict[tuple[str, str], TemplateSet]:
    grouped: dict[tuple[str, str], dict[str | None, TemplateVariant]] = {}
    for variant in variants:
        grouped.setdefault((variant.channel, variant.name), {})[variant.locale] = variant
    sets: dict[tuple[str, str], TemplateSet] = {}
    for (channel, name), by_locale in grouped.items():
        if None not in by_locale:
            first = next(iter(by_locale.values()))
            hint = f"make the file {name}.{first.path.rpartition('.')[2]}"
            problems.append(Problem(first.path, 1, 1, "no_default_template", f"'{name}' has translations only", hint))
        found = TemplateSet(channel, name, by_locale)
        topic = found.default.topic
        translated = {locale: replace(one, topic=one.topic or topic) for locale, one in by_locale.items()}
        sets[channel, name] = TemplateSet(channel, name, translated)
    return sets


def _problem(
    path: str, code: str, message: str, hint: str | None, line: int = 1, column: int = 1, severity: str = "error"
) -> Problem:
    return Problem(
        f"{FOLDER}/{path}", line, column, code, message, hint, "warning" if severity == "warning" else "error"
    )
