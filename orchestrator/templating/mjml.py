"""MJML, checked by ourselves and compiled when the template is loaded wherever that gives the same as afterwards.

The compiler drops unknown tags without a word, and its errors name no line: both are found here first, with their
place. Template tags between components travel in `mj-raw`. Where they stand between columns, whose widths depend on
how many there are, the template is compiled after rendering instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.templating.failure import ValueRefused
from orchestrator.templating.holders import Holder, blocks_stand_whole
from orchestrator.templating.html_scan import VOID, Scan, Tag, Where, scan
from orchestrator.templating.inlining import DEEPEST_HTML, check_depth
from orchestrator.templating.pieces import Atom, Piece

Report = Callable[[str, int, str, str | None], None]
"""(code, mark, message, way out)."""

_CONTENT = ("mj-column", "mj-hero")
PARENTS: dict[str, tuple[str, ...]] = {
    "mjml": (),
    "mj-head": ("mjml",),
    "mj-body": ("mjml",),
    **dict.fromkeys(("mj-attributes", "mj-breakpoint", "mj-font", "mj-preview", "mj-style", "mj-title"), ("mj-head",)),
    "mj-wrapper": ("mj-body",),
    "mj-section": ("mj-body", "mj-wrapper"),
    "mj-hero": ("mj-body", "mj-wrapper"),
    "mj-group": ("mj-section",),
    "mj-column": ("mj-section", "mj-group"),
    **dict.fromkeys(("mj-text", "mj-button", "mj-image", "mj-divider", "mj-spacer", "mj-table"), _CONTENT),
    **dict.fromkeys(("mj-social", "mj-navbar", "mj-accordion", "mj-carousel"), _CONTENT),
    "mj-social-element": ("mj-social",),
    "mj-navbar-link": ("mj-navbar",),
    "mj-accordion-element": ("mj-accordion",),
    "mj-accordion-title": ("mj-accordion-element",),
    "mj-accordion-text": ("mj-accordion-element",),
    "mj-carousel-image": ("mj-carousel",),
    "mj-raw": ("mj-head", "mj-body", "mj-wrapper", "mj-section", "mj-group", "mj-column", "mj-hero"),
}
"""Every component, and those it may stand in."""

_ATTRIBUTES_ONLY = frozenset({"mj-all", "mj-class"})
_HTML_INSIDE = (
    *("mj-text", "mj-button", "mj-table", "mj-raw", "mj-title", "mj-preview", "mj-style"),
    *("mj-social-element", "mj-navbar-link", "mj-accordion-title", "mj-accordion-text"),
)
_STATIC_PLACES = frozenset({"mj-body", "mj-wrapper", "mj-column", "mj-hero"})


def check_mjml(scanned: Scan, report: Report) -> bool:
    """Report unknown and misplaced components, HTML outside of components, and what is never closed.

    True where nothing but warnings was found, so that the compiler may see it.
    """
    if not any(tag.name == "mjml" for tag in scanned.tags):
        report("mjml_invalid", 1, "there is no <mjml> element", "an MJML file is <mjml><mj-body>...</mj-body></mjml>")
        return False
    if scanned.depth > DEEPEST_HTML:
        message = f"elements nest more than {DEEPEST_HTML} deep"
        report("mjml_invalid", scanned.tags[0].mark, message, "close what is open")
        return False
    found = [_check_tag(tag, report) for tag in scanned.tags]
    for element in scanned.unclosed:
        if element.name != "#condition":
            report("mjml_invalid", element.mark, f"<{element.name}> is never closed", f"add </{element.name}>")
    return all(found) and not scanned.unclosed


def _check_tag(tag: Tag, report: Report) -> bool:
    if tag.name in ("mj-social-element", "mj-accordion") and not {"src", "icon-wrapped-url"} & tag.attributes.keys():
        attribute = "src" if tag.name == "mj-social-element" else "icon-wrapped-url and icon-unwrapped-url"
        message = f"<{tag.name}> shows an icon from a foreign server"
        report("remote_image", tag.mark, message, f"give it {attribute} of your own")
    wrong = _wrong(tag)
    if wrong is not None:
        report("mjml_invalid", tag.mark, *wrong)
    return wrong is None


def _wrong(tag: Tag) -> tuple[str, str | None] | None:
    """What is wrong with a component, and the way out."""
    name, parent = tag.name, tag.parent
    inside_html = parent is not None and parent.inside(*_HTML_INSIDE)
    if name == "mj-include":
        return "mj-include is not available", "write {% include '_name.mjml' %}"
    if not name.startswith("mj"):
        return None if inside_html else (f"<{name}> stands outside of any text", "put it into <mj-text> or <mj-raw>")
    if parent is not None and parent.name == "mj-attributes":
        return None if name in PARENTS or name in _ATTRIBUTES_ONLY else _unknown(name)
    if name not in PARENTS:
        return _unknown(name)
    if inside_html:
        return f"<{name}> cannot stand inside a text component", "end the component around it first"
    if (parent.name if parent else None) not in (PARENTS[name] or (None,)):
        where = " or ".join(f"<{outer}>" for outer in PARENTS[name]) or "at the top of the file"
        return f"<{name}> cannot stand here", f"it stands in {where}"
    return None


def _unknown(name: str) -> tuple[str, str]:
    return f"<{name}> is unknown to MJML", did_you_mean(name, PARENTS, "") or "see the list of MJML components"


def compile_once(scanned: Scan) -> list[Piece] | None:
    """The HTML as pieces, or None where it has to be compiled after rendering. Raises ValueRefused for invalid MJML."""
    holder = Holder(scanned.pieces)
    late = False

    def written(word: str, atom: Atom, place: Where) -> str:
        nonlocal late
        component = place.within.name if place.within is not None else ""
        if place.place == "tag":
            late = True
        if place.place != "text" or (place.within is not None and place.within.inside(*_HTML_INSIDE)):
            return word
        if component not in _STATIC_PLACES:
            late = True
            return ""
        return f"<mj-raw>{word}</mj-raw>"

    html = compile_mjml(holder.text(scanned.pieces, scanned.places, written))
    if late:
        return None
    pieces = holder.pieces(html)
    if not holder.complete(pieces) or not blocks_stand_whole(pieces, scan(pieces).places):
        return None
    return pieces


def compile_rendered(source: str) -> str:
    """Finished MJML as HTML. Raises ValueRefused where it is invalid."""
    check_depth(source)
    return compile_mjml(source)


def compile_mjml(source: str) -> str:
    """One run of the compiler: no includes, no fonts or comments that were not asked for. Raises ValueRefused."""
    from mjml import mjml2html  # a native library: loaded by those who have MJML

    try:
        return str(mjml2html(_as_xml(source), fonts={}, disable_comments=False))
    except ValueError as error:
        raise ValueRefused(f"MJML: {error}") from None


def _as_xml(source: str) -> str:
    """HTML lets `<br>` and `<img>` stand open; the compiler, which reads XML, is given them closed."""
    return re.sub(rf"<({'|'.join(sorted(VOID))})\b([^<>]*?)(?<!/)>", r"<\1\2/>", source)
