"""Pictures and documents below templates/assets: read once, found in templates, named by their content.

A template names one by its path, ``src="assets/harbour.png"``, as it would in a browser. Where messages are sent from
an installation the path becomes an address whose second part is the content's hash: a picture that is changed gets
another address, so that mail programs may keep what they have for ever and mails already sent keep their look.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import field
from html import unescape
from pathlib import Path
from typing import NamedTuple, TypeAlias
from urllib.parse import quote, unquote

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.errors import Problem
from orchestrator.records import dataclass
from orchestrator.templating.html_scan import scan
from orchestrator.templating.pieces import Atom, Data, Piece

FOLDER = "templates/assets"
LARGEST_PICTURE = 1_000_000
"""Bytes. Readers on the road wait for every one of them."""
LARGEST_DOCUMENT = 10_000_000
LARGEST_TOGETHER = 200_000_000

MEDIA_TYPES: Mapping[str, str] = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "svg": "image/svg+xml",
    "webp": "image/webp",
    "pdf": "application/pdf",
}
"""By the ending of the file's name. Other files may be attached to messages, but are not shown in them."""

Report: TypeAlias = Callable[[str, int, str, str | None], None]
"""(code, mark, message, way out)."""

_LINKING = r"(?:src|href|poster|background|(?:[a-z]+-)+(?:src|url))"
_PATH = r"(?:\.{1,2}/)*assets/"
_NAMED = re.compile(
    rf"""
    (?<![\w-]) {_LINKING} \s*=\s* (?: ["']\s* (?P<quoted> {_PATH} [^"'<>]* ) | (?P<bare> {_PATH} [^\s"'<>]* ) )
    | url\( \s* (?: ["'] | &quot; | &\#39; )? \s* (?P<css> {_PATH} (?: (?! &quot; | &\#39; ) [^"'()<>] )* )
    """,
    re.IGNORECASE | re.VERBOSE,
)
_CHOSEN = re.compile(rf"\s*(?P<whole>{_PATH}[^\"'<>]*)")
"""A path that is a link's whole value, or stands there behind ``{% if %}`` or ``{% else %}``."""
_LINKING_NAME = re.compile(_LINKING)


@dataclass(frozen=True, slots=True)
class Asset:
    """One file. `name` is its path below templates/assets; `content_hash` 32 hex digits over its bytes."""

    name: str
    media_type: str
    content_hash: str
    data: bytes = field(repr=False)

    @property
    def address(self) -> str:
        """``<first 12 digits of the hash>/<name>``, ready for a URL: where it is served below ``/assets/``."""
        return f"{self.content_hash[:12]}/{quote(self.name, errors='replace')}"


AssetUrl: TypeAlias = Callable[[Asset], str]
"""What a message says where its template names an asset."""


def _quoted(name: str) -> str:
    return quote(name, errors="replace")  # names of files are not always text


def as_written(asset: Asset) -> str:
    """The path as it stands in templates."""
    return f"assets/{quote(asset.name, errors='replace')}"


def served_from(base_url: str) -> AssetUrl:
    """Whole addresses on the installation whose public pages answer at `base_url`."""
    base = base_url.rstrip("/")
    return lambda asset: f"{base}/assets/{asset.address}"


def embedded(asset: Asset) -> str:
    """The file itself as a data: address, for HTML that stands alone. Mail programs do not show these."""
    return f"data:{asset.media_type};base64,{base64.b64encode(asset.data).decode('ascii')}"


def read_assets(folder: Path, problems: list[Problem]) -> dict[str, Asset]:
    """The files below `folder`, by name. Hidden files, other kinds, and links that lead out are left aside. What is too
    large is among them without its bytes, and added to `problems`."""
    found: dict[str, Asset] = {}
    top, total = folder.resolve(), 0
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        name = path.relative_to(folder).as_posix()
        hidden = any(part.startswith(".") for part in name.split("/"))
        if hidden or _media_type(name) is None or not path.is_file() or not path.resolve().is_relative_to(top):
            continue
        try:
            size = path.stat().st_size
            total += size
            large = size > _largest(name) or total > LARGEST_TOGETHER
            found[name] = asset_of(name, b"" if large else path.read_bytes())
        except OSError as error:
            message = f"the file cannot be read ({error.strerror})"
            problems.append(Problem(f"{FOLDER}/{name}", 1, 1, "unreadable", message, "check its permissions"))
            continue
        if large:
            problems.append(_too_large(name, size))
    return found


def asset_of(name: str, data: bytes) -> Asset:
    """The asset of this name (with an ending of MEDIA_TYPES) and content."""
    content_hash = hashlib.blake2b(data, digest_size=16).hexdigest()
    return Asset(name, _media_type(name) or "application/octet-stream", content_hash, data)


def _media_type(name: str) -> str | None:
    return MEDIA_TYPES.get(name.rpartition(".")[2].lower()) if "." in name else None


def _largest(name: str) -> int:
    return LARGEST_DOCUMENT if _media_type(name) == "application/pdf" else LARGEST_PICTURE


def _too_large(name: str, size: int) -> Problem:
    most = _largest(name)
    message, hint = f"the file has {size:,} bytes; it may have {most:,}", "make it smaller"
    if size <= most:
        message = f"with this file the folder has more than {LARGEST_TOGETHER:,} bytes"
        hint = "take out what no message shows"
    elif most == LARGEST_PICTURE:
        hint = "save it smaller: 1,200 pixels are wide enough for any mail"
    return Problem(f"{FOLDER}/{name}", 1, 1, "asset_too_large", message, hint)


class Reference(NamedTuple):
    """A place at which a template names an asset: characters `start` to `stop` of the piece with this number. `whole`
    is False where a value stands in the name."""

    piece: int
    start: int
    stop: int
    name: str
    mark: int
    whole: bool


def references(pieces: list[Piece], *, link: bool = False) -> Iterator[Reference]:
    """Every name of an asset in the attributes and styles of an HTML or MJML body, in order. With `link` the pieces
    are no body but one link's value, such as the `image` of a push message."""
    if not any(isinstance(piece, Data) and "assets/" in piece.text for piece in pieces):
        return
    begin = _behind_blocks(pieces) | {0} if link else _begin_in_links(pieces)
    for number, piece in enumerate(pieces):
        if not isinstance(piece, Data) or "assets/" not in piece.text:
            continue
        following = pieces[number + 1] if number + 1 < len(pieces) else None
        tag = following if isinstance(following, Atom) else None
        if number in begin and (found := _CHOSEN.match(piece.text)) is not None:
            yield _reference(number, piece, found, tag is not None and tag.kind == "output")
        for found in () if link else _NAMED.finditer(piece.text):
            yield _reference(number, piece, found, tag is not None)


def _behind_blocks(pieces: list[Piece]) -> set[int]:
    return {number + 1 for number, piece in enumerate(pieces) if isinstance(piece, Atom) and piece.kind == "block"}


def _begin_in_links(pieces: list[Piece]) -> set[int]:
    """The numbers of the pieces of text behind a block's tag in the value of an attribute that links."""
    scanned = scan(pieces)
    if len(scanned.pieces) != len(pieces):  # a body that was not scanned before: its comments are cut out
        return set()
    atoms = [number for number, piece in enumerate(pieces) if isinstance(piece, Atom)]
    links = {
        number + 1
        for number, place in zip(atoms, scanned.places, strict=True)
        if place.place == "value" and _LINKING_NAME.fullmatch(place.attribute)
    }
    return links & _behind_blocks(pieces)


def _reference(number: int, piece: Data, found: re.Match[str], tag_follows: bool) -> Reference:
    group = found.lastgroup or ""
    written = found[group].rstrip()
    start = found.start(group)
    name = unquote(unescape(written[written.index("assets/") + len("assets/") :]))
    cut = tag_follows and found.end() == len(piece.text)
    return Reference(number, start, start + len(written), name, piece.mark + start, not cut)


def check_assets(
    pieces: list[Piece], assets: Mapping[str, Asset], report: Report, *, link: bool = False
) -> list[Asset]:
    """The assets that a body (or with `link` one link's value) names, each once; those not there are reported."""
    used: dict[str, Asset] = {}
    for found in references(pieces, link=link):
        if not found.whole:
            hint = "write the whole name in each branch of {% if %}, or a whole address, https://..."
            report("asset_name", found.mark, "no value can stand in the name of an asset", hint)
        elif found.name in assets:
            used[found.name] = assets[found.name]
        else:
            report("unknown_asset", found.mark, f"there is no file {FOLDER}/{found.name}", _way_out(found.name, assets))
    return list(used.values())


def _way_out(name: str, assets: Mapping[str, Asset]) -> str:
    if _media_type(name) is None:
        return f"messages show and link to files that end in {', '.join(MEDIA_TYPES)}"
    return did_you_mean(name, assets) or f"put the file into {FOLDER}/"


def with_urls(pieces: list[Piece], assets: Mapping[str, Asset], url: AssetUrl, *, link: bool = False) -> list[Piece]:
    """The pieces with the name of each asset exchanged for its address."""
    out = list(pieces)
    for found in reversed(list(references(pieces, link=link))):
        piece = out[found.piece]
        if found.whole and found.name in assets and isinstance(piece, Data):
            text = f"{piece.text[: found.start]}{url(assets[found.name])}{piece.text[found.stop :]}"
            out[found.piece] = Data(text, piece.mark)
    return out
