"""Rules for values in HTML: where none may stand, and which guard goes around those that may."""

from __future__ import annotations

import re
from collections.abc import Callable

from orchestrator.templating.html_scan import Scan, Where
from orchestrator.templating.pieces import Atom, Piece

Report = Callable[[str, int, str, str | None], None]
"""(code, mark, message, way out)."""

_LINKS = frozenset({"href", "src", "action", "formaction", "background", "background-url", "poster", "cite"})
_TEXTS = frozenset({"alt", "title", "name", "css-class", "class", "id", "rel", "target", "lang", "mj-class", "value"})
"""Attributes of MJML components that do not end up in a style."""
_URL_OPEN = re.compile(r"url\(\s*[\"']?\s*$", re.IGNORECASE)


def check_html(scanned: Scan, report: Report) -> None:
    """Report values in places where escaping could not hold them, and what mail programs do not run or load."""
    for atom, place in _placed(scanned):
        if atom.kind == "output":
            _check_place(atom, place, report)
    for tag in scanned.tags:
        if tag.name == "script":
            report("script", tag.mark, "mail programs run no scripts", "take <script> out")
        elif tag.name == "link" and "stylesheet" in tag.attributes.get("rel", "").lower():
            report("remote_stylesheet", tag.mark, "a linked stylesheet is never loaded", "put the rules into <style>")


def _check_place(atom: Atom, place: Where, report: Report) -> None:
    in_script = place.place == "raw" and place.within is not None and place.within.name == "script"
    if in_script or (place.place == "value" and place.attribute.startswith("on")):
        report("value_in_script", atom.mark, "a value cannot stand inside a script", "write it into the text")
    elif place.place == "tag":
        report(
            "value_in_tag",
            atom.mark,
            "a value cannot stand inside a tag by itself",
            'write it as attribute="{{ ... }}"',
        )
    elif place.place == "value" and not place.quote:
        report(
            "unquoted_attribute",
            atom.mark,
            f"the value of {place.attribute} needs quotes",
            f'write {place.attribute}="{{{{ ... }}}}"',
        )


def guarded(scanned: Scan, mjml: bool = False) -> list[Piece]:
    """The pieces with a guard around each value that needs one. `mjml`: attributes are those of MJML components."""
    guards = iter([_guard(atom, place, mjml) for atom, place in _placed(scanned)])
    out: list[Piece] = []
    for piece in scanned.pieces:
        if isinstance(piece, Atom):
            guard = next(guards)
            out.append(piece.guarded(guard) if guard else piece)
        else:
            out.append(piece)
    return out


def _guard(atom: Atom, place: Where, mjml: bool) -> str | None:
    if atom.kind != "output":
        return None
    if place.place == "raw":
        return "_style" if place.within is not None and place.within.name in ("style", "mj-style") else None
    if place.place != "value":
        return None
    if place.attribute in _LINKS:
        return _link_guard(atom, place)
    if place.attribute == "style":
        return "_style_url" if _URL_OPEN.search(place.before) else "_style"
    in_component = mjml and place.within is not None
    return "_style" if in_component and place.attribute not in _TEXTS and "data-" not in place.attribute else None


def _link_guard(atom: Atom, place: Where) -> str | None:
    written = place.before.replace("\0", "").strip()
    if not written:
        return "_url"
    if "?" in written or "#" in written:
        return None if atom.last_filter == "urlencode" else "_url_part"
    return "_url_path"


def _placed(scanned: Scan) -> list[tuple[Atom, Where]]:
    return list(zip((piece for piece in scanned.pieces if isinstance(piece, Atom)), scanned.places, strict=True))
