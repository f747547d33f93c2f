"""What a person should know before a message goes out: size, links, images, the way out, SMS segments."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import NamedTuple
from urllib.parse import urlsplit

from orchestrator.core.gsm import beyond_gsm
from orchestrator.templating.html_scan import Tag, scan
from orchestrator.templating.pieces import Data
from orchestrator.templating.render import Rendered
from orchestrator.templating.sms import is_chinese, segments

CLIPPED_AT = 102 * 1024
"""Bytes of HTML after which Gmail cuts a message off and hides the rest, the unsubscribe link included."""
LONGEST_SUBJECT = 60
MOST_SEGMENTS = 3

_TEXT_LINK = re.compile(r"https?://[^\s<>()\"']+")


class Notice(NamedTuple):
    """One thing to look at. `code` is stable; `message` says what and what to do."""

    code: str
    message: str


def preview_warnings(
    rendered: Rendered,
    channel: str,
    *,
    needs_unsubscribe: bool = False,
    unsubscribe_url: str | None = None,
    to: str | None = None,
    as_sent: str | None = None,
) -> list[Notice]:
    """The warnings about one rendered message. `needs_unsubscribe`: it is promotional or service. `to`: its address, by
    which segments are counted; `as_sent`: its HTML with all that its hand-over adds, which mailboxes measure."""
    if channel == "email":
        warnings = _subject(rendered) + _html(rendered, as_sent)
        if needs_unsubscribe and not _offers_way_out(rendered, unsubscribe_url):
            warnings.append(Notice("no_unsubscribe", "there is no unsubscribe link; place {{ unsubscribe_url }}"))
        return warnings
    links = [_link(link) for link in _TEXT_LINK.findall(rendered.text)]
    warnings = [warning for warning in links if warning is not None]
    return _sms(rendered.text, to) + warnings if channel == "sms" else warnings


def _subject(rendered: Rendered) -> list[Notice]:
    subject = rendered.subject or ""
    found: list[Notice] = []
    if not subject:
        found.append(Notice("no_subject", "the subject is empty; write one in the front matter or in the step"))
    if len(subject) > LONGEST_SUBJECT:
        found.append(
            Notice("long_subject", f"the subject has {len(subject)} characters; phones show about {LONGEST_SUBJECT}")
        )
    if len(subject) > 10 and subject.isupper():
        found.append(Notice("loud_subject", "the subject is all capitals, which spam filters count against it"))
    if not rendered.preheader:
        found.append(Notice("no_preheader", "there is no preheader; inboxes then show the first words of the text"))
    return found


def _html(rendered: Rendered, as_sent: str | None) -> list[Notice]:
    html = rendered.html
    if html is None:
        links = [_link(link) for link in _TEXT_LINK.findall(rendered.text)]
        return [warning for warning in links if warning is not None]
    found: list[Notice] = []
    size = len((as_sent or html).encode("utf-8", "replace"))
    if size > CLIPPED_AT:
        tracked = "" if as_sent is None or as_sent == html else " with its tracked links"
        found.append(Notice("clipped", f"the HTML has {size // 1024} KB{tracked}; Gmail cuts messages off at 102 KB"))
    for tag in scan([Data(html, 1)]).tags:
        found += _tag(tag)
    return list(dict.fromkeys(found))


def _tag(tag: Tag) -> list[Notice]:
    if tag.name == "a":
        warning = _link(tag.attributes.get("href", ""), anchor=True)
        return [warning] if warning else []
    if tag.name != "img":
        return []
    source = tag.attributes.get("src", "")
    found: list[Notice] = []
    if "alt" not in tag.attributes:
        found.append(Notice("image_without_alt", f'the image {_short(source)} has no alt text; write alt="..."'))
    if not source:
        found.append(Notice("image_without_source", "an image has no src"))
    elif not source.startswith(("cid:", "data:")):
        link = _link(source)
        found.append(
            link or Notice("remote_image", f"the image {_short(source)} is loaded from a server; many readers block it")
        )
    if source.startswith("data:"):
        found.append(Notice("data_image", "an image is written into the HTML; Gmail and Outlook do not show it"))
    return found


def _link(link: str, anchor: bool = False) -> Notice | None:
    link = link.replace("&amp;", "&").strip()
    if not link or link == "#":
        return Notice("empty_link", "a link leads nowhere") if anchor else None
    try:
        parts = urlsplit(link)
        host = parts.hostname or ""
    except ValueError:
        return Notice("broken_link", f"the link {_short(link)} is not readable")
    if parts.scheme in ("mailto", "tel", "sms", "cid", "data") or link.startswith("#"):
        return None
    if not parts.scheme or not host:
        return Notice("relative_link", f"the link {_short(link)} has no server; write it whole, with https://")
    if _local(host):
        return Notice("local_link", f"the link {_short(link)} leads to a machine that readers cannot reach")
    if parts.scheme != "https":
        return Notice("insecure_link", f"the link {_short(link)} is not https")
    return None


def _local(host: str) -> bool:
    if host == "localhost" or host.endswith((".localhost", ".local", ".internal", ".test", ".invalid")):
        return True
    try:
        return not ip_address(host).is_global
    except ValueError:
        return "." not in host


def _offers_way_out(rendered: Rendered, url: str | None) -> bool:
    html = (rendered.html or rendered.text).replace("&amp;", "&")
    return url in html if url else "unsubscribe" in html.lower()


def _sms(text: str, to: str | None) -> list[Notice]:
    length = segments(text, to)
    found: list[Notice] = []
    if not text.strip():
        found.append(Notice("empty_text", "the message is empty"))
    if length.encoding == "UCS-2" and not is_chinese(to) and all(ord(char) < 0x2E80 for char in text):
        cause = " ".join(beyond_gsm(text)[:10])
        found.append(
            Notice(
                "sms_encoding",
                f"{cause} cannot be sent in the plain SMS alphabet: a segment holds 70 characters, not 160",
            )
        )
    if length.segments > 1:
        code = "sms_long" if length.segments > MOST_SEGMENTS else "sms_segments"
        found.append(
            Notice(code, f"sent and paid as {length.segments} segments ({length.units} units, {length.encoding})")
        )
    return found


def _short(link: str) -> str:
    return link if len(link) <= 60 else link[:57] + "..."
