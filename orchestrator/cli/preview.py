"""`orchestrator preview`: one message as a customer would get it, and what to look at before it goes out."""

from __future__ import annotations

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.cli.preview_message import PAGES, Preview, find_template, read_customer, render_preview
from orchestrator.cli.project_loading import load
from orchestrator.cli.terminal import Terminal
from orchestrator.errors import Problem, ProjectInvalid

if TYPE_CHECKING:
    from orchestrator.definitions.load import LoadedProject
    from orchestrator.templating.assets import AssetUrl
    from orchestrator.templating.preview import Notice

DESCRIPTION = """Render one message: headers, text, and the HTML as a file to open. Without --customer it is made for a
sample customer with values from the tracking plan. Warns about size, links, images and SMS segments."""
EXAMPLES = """
orchestrator preview email/welcome --open
orchestrator preview welcome --locale zh
orchestrator preview care_tips --customer ana.yaml
"""

FOLDER = Path(".orchestrator") / "preview"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """TEMPLATE, for whom, and where to."""
    parser.add_argument("template", metavar="TEMPLATE", help="email/NAME, sms/NAME, ..., or NAME alone")
    parser.add_argument(
        "--customer", metavar="FILE", type=Path, help="YAML or JSON: id, email, attributes, entry, results, ..."
    )
    parser.add_argument("--locale", metavar="L", help="the language, such as zh-Hant (default: the customer's)")
    parser.add_argument("--html", action="store_true", help="print the HTML and nothing else")
    parser.add_argument("--open", action="store_true", help="open the HTML in a browser")
    parser.add_argument("--send-to", metavar="SEED", help="send it to this seed address; touches no cap and no figure")


def run(args: argparse.Namespace, terminal: Terminal) -> int:
    """Renders it and shows it."""
    from orchestrator.templating.failure import RenderError

    loaded = load(args.project)
    channel, name = find_template(loaded, args.template)
    _refuse_broken(loaded, channel, name)
    given = read_customer(args.customer, terminal) if args.customer is not None else None
    try:
        preview = render_preview(loaded, channel, name, args.locale, given, datetime.now(UTC))
    except RenderError as error:
        path = f"templates/{error.path}" if not error.path.startswith("templates/") else error.path
        problem = Problem(path, error.line, error.column, "render_error", error.reason, _way_out(given is None))
        raise ProjectInvalid([problem]) from None
    html = _standing_alone(loaded, preview)
    if args.html:
        terminal.out.write((html or preview.rendered.text) + "\n")
        return 0
    warnings = _warnings(loaded, preview)
    file = _write_html(preview, html, args.project) if html is not None else None
    terminal.data(_as_dict(preview, html, warnings, file))
    _show(preview, warnings, file, terminal)
    if args.send_to is not None:
        _send(args, preview, html, terminal)
    if args.open and file is not None:
        import webbrowser

        webbrowser.open(file.resolve().as_uri())
    return 0


def _send(args: argparse.Namespace, preview: Preview, html: str | None, terminal: Terminal) -> None:
    """To the seed address, and to nobody else, whoever the preview was made for."""
    from orchestrator.channels.protocol import Outgoing
    from orchestrator.wiring.installation import settings_of
    from orchestrator.wiring.seeds import send_to_seed

    rendered, channel = preview.rendered, preview.variant.channel
    outgoing = Outgoing(
        "seed", channel, args.send_to, rendered.subject, rendered.text, html, rendered.from_, rendered.reply_to
    )
    terminal.say(send_to_seed(settings_of(args.database, args.broker), args.project, outgoing))


def _refuse_broken(loaded: LoadedProject, channel: str, name: str) -> None:
    """Problems of the template's own files are shown with their places, not as a failed rendering."""
    template = loaded.templates.get(channel, name)
    variants = template.variants.values() if template is not None else ()
    files = {variant.path for variant in variants} | {path for variant in variants for path, _ in variant.files}
    own = [problem for problem in loaded.errors if problem.path.removeprefix("templates/") in _below(files)]
    if own:
        raise ProjectInvalid(own)


def _below(files: set[str]) -> set[str]:
    return {path.removeprefix("templates/") for path in files}


def _way_out(sample: bool) -> str:
    if sample:
        return "give the value with --customer FILE, or a default in the template: {{ ... | default('...') }}"
    return "add it to the customer file, or give a default in the template: {{ ... | default('...') }}"


def _standing_alone(loaded: LoadedProject, preview: Preview) -> str | None:
    """The HTML with the project's pictures inside it. None where the message has none."""
    from orchestrator.templating.assets import embedded

    return _with_assets(loaded, preview.rendered.html, embedded)


def _with_assets(loaded: LoadedProject, html: str | None, url: AssetUrl) -> str | None:
    from orchestrator.templating.assets import served_from

    served = served_from(PAGES)
    for asset in loaded.templates.assets.values():
        if html is not None and served(asset) in html:
            html = html.replace(served(asset), url(asset))
    return html


def _warnings(loaded: LoadedProject, preview: Preview) -> list[Notice]:
    from orchestrator.runtime.rendering import html_as_sent
    from orchestrator.templating.preview import preview_warnings

    topic = preview.sent.topic
    # The project's own pictures are no foreign server's: to the check they are parts of the message.
    html = _with_assets(loaded, preview.rendered.html, lambda asset: f"cid:{asset.address}")
    return preview_warnings(
        preview.rendered._replace(html=html),
        preview.variant.channel,
        needs_unsubscribe=topic is not None and topic.klass != "transactional",
        unsubscribe_url=preview.unsubscribe_url,
        to=preview.to,
        as_sent=html_as_sent(preview.rendered.html, loaded.project, topic, preview.sent.journey, PAGES),
    )


def _write_html(preview: Preview, html: str, root: Path) -> Path:
    """The HTML as a file that a browser shows."""
    variant = preview.variant
    locale = f".{variant.locale}" if variant.locale else ""
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{variant.channel}-{variant.name.replace('/', '-')}{locale}.html"
    file.write_text(html, encoding="utf-8", errors="xmlcharrefreplace")
    return file


def _show(preview: Preview, warnings: list[Notice], file: Path | None, terminal: Terminal) -> None:
    rendered, variant, topic = preview.rendered, preview.variant, preview.sent.topic
    journey = f", sent by {preview.sent.journey}" if preview.sent.journey else ", sent by no journey"
    heads = [
        ("template", f"{variant.channel}/{variant.name} ({variant.locale or 'default language'}){journey}"),
        ("topic", f"{topic.id} ({topic.klass})" if topic is not None else "none"),
        ("to", preview.to or "(no address)"),
        ("from", rendered.from_),
        ("reply to", rendered.reply_to),
        ("subject", rendered.subject),
        ("preheader", rendered.preheader),
        *rendered.fields,
    ]
    for name, value in heads:
        if value:
            terminal.say(f"{terminal.paint(f'{name:<10}', 'dim')} {value}")
    terminal.say()
    terminal.say(rendered.text.rstrip())
    terminal.say()
    if variant.channel == "sms":
        from orchestrator.templating.sms import segments

        length = segments(rendered.text, preview.to)
        parts = "1 segment" if length.segments == 1 else f"{length.segments} segments"
        terminal.say(f"{parts}, {length.units} units in {length.encoding}")
    if file is not None:
        size = len((rendered.html or "").encode("utf-8", "replace"))
        terminal.say(f"HTML: {file} ({size / 1024:.1f} KB)")
    for warning in warnings:
        terminal.say(f"{terminal.paint('warning', 'yellow')}: {warning.message} [{warning.code}]")


def _as_dict(preview: Preview, html: str | None, warnings: list[Notice], file: Path | None) -> dict[str, Any]:
    rendered, variant, topic = preview.rendered, preview.variant, preview.sent.topic
    return {
        "channel": variant.channel,
        "template": variant.name,
        "locale": variant.locale,
        "journey": preview.sent.journey,
        "topic": topic.id if topic is not None else None,
        "to": preview.to,
        "from": rendered.from_,
        "reply_to": rendered.reply_to,
        "subject": rendered.subject,
        "preheader": rendered.preheader,
        "text": rendered.text,
        "html": html,
        "fields": dict(rendered.fields),
        "file": str(file) if file is not None else None,
        "warnings": [{"code": warning.code, "message": warning.message} for warning in warnings],
    }
