"""The proof report as one page of HTML without script, to be printed, filed and sent, in English or Chinese."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from html import escape
from typing import Final

from orchestrator.insights.proof import KINDS, Proof
from orchestrator.insights.proof_text import latency, packs_words, rate, reached_words, verdict
from orchestrator.insights.proof_words import WORDS, reason_words

_LANG: Final = {"en": "en", "zh": "zh-Hans"}
_STYLE: Final = """
:root { color-scheme: light dark; }
body { font: 15px/1.5 system-ui, "Noto Sans SC", "PingFang SC", sans-serif; max-width: 60rem; margin: 2rem auto;
  padding: 0 1rem; }
h1 { font-size: 1.5rem; margin-bottom: 0; } h2 { font-size: 1.1rem; margin: 2rem 0 .5rem; }
table { border-collapse: collapse; width: 100%; } caption { text-align: left; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid #8886; vertical-align: top;
  overflow-wrap: anywhere; }
th { overflow-wrap: normal; } .number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.verdict { font-size: 1.1rem; font-weight: 600; border-left: .4rem solid; padding-left: .8rem; }
.clean { border-color: #16803c; } .broken { border-color: #b91c1c; }
.wide { overflow-x: auto; } .small { color: GrayText; font-size: .9rem; }
@media print { body { margin: 0; max-width: none; font-size: 10pt; } h2, tr { break-inside: avoid; break-after: auto; }
  thead { display: table-header-group; } }
"""


def proof_page(proof: Proof, month: str, brand: str, language: str) -> str:
    """The page. All that comes from data is escaped."""
    words = WORDS[language]
    title = f"{words['title']} · {month}"
    packs = packs_words(proof, words) or words["none"]
    state = "broken" if proof.broken else "clean"
    parts = [
        f'<!doctype html>\n<html lang="{_LANG[language]}">\n<head>\n<meta charset="utf-8">',
        '<meta name="viewport" content="width=device-width, initial-scale=1">',
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>",
        f"<h1>{escape(title)}</h1>",
        f"<p>{escape(brand)} · {proof.since:%Y-%m-%d %H:%M}Z – {proof.until:%Y-%m-%d %H:%M}Z</p>" if brand else "",
        f'<p class="verdict {state}">{escape(verdict(proof, words))}</p>',
        f'<p class="small">{escape(words["judged"])}<br>{escape(words["packs"])}: {escape(packs)}</p>',
        *_sections(proof, words, language),
        "</main>\n</body>\n</html>\n",
    ]
    return "\n".join(part for part in parts if part)


def _sections(proof: Proof, words: Mapping[str, str], language: str) -> Iterator[str]:
    yield from _table(
        words["checks"], [words["check"], words["violations"]], [(words[k], str(proof.violations[k])) for k in KINDS]
    )
    yield from _table(
        f"{words['contacts']} ({words['people']}: {proof.people})",
        [words[name] for name in ("topic", "channel", "class", "basis", "count")],
        [(*reached_words(reached, words), str(count)) for reached, count in proof.contacts.items()],
        words["none"],
    )
    yield from _table(
        words["withheld"],
        [words["reason"], words["channel"], words["count"]],
        [
            (f"{reason_words(reason, language)} ({reason})", channel, str(count))
            for (reason, channel), count in proof.withheld.items()
        ],
        words["none"],
    )
    yield f"<h2>{escape(words['opt_outs'])}</h2>\n<p>{escape(words['count'])}: {proof.opt_outs}"
    if proof.opt_outs:
        yield f"<br>{escape(latency(proof, words))}"
    if proof.told_late:
        yield f"<br>{escape(words['told_late'])}: {proof.told_late}"
    yield "</p>"
    yield from _table(
        words["delivery"],
        [words[name] for name in ("channel", "sent", "bounced", "complained")],
        [
            (channel, str(n), rate(proof.bounced.get(channel, 0), n), rate(proof.complained.get(channel, 0), n))
            for channel, n in proof.sent.items()
        ],
        words["none"],
        numbers=3,
    )
    if proof.shown:
        yield from _table(
            words["found"],
            [words[name] for name in ("handed_at", "check", "customer", "message", "detail")],
            [(f"{v.handed_at:%Y-%m-%d %H:%M:%S}", words[v.kind], v.customer, v.message, v.detail) for v in proof.shown],
            numbers=0,
        )
        if proof.broken > len(proof.shown):
            yield f"<p>{escape(words['more'].format(n=proof.broken - len(proof.shown)))}</p>"


def _table(
    title: str, head: list[str], rows: Iterable[tuple[str, ...]], empty: str = "", numbers: int = 1
) -> Iterator[str]:
    """A table under a heading; the last `numbers` columns hold numbers."""
    yield f"<h2>{escape(title)}</h2>"
    told = list(rows)
    if not told:
        yield f"<p>{escape(empty)}</p>"
        return
    first = len(head) - numbers

    def cells(row: Iterable[str], tag: str) -> str:
        scope = ' scope="col"' if tag == "th" else ""
        kinds = ["" if column < first else ' class="number"' for column in range(len(head))]
        return "".join(f"<{tag}{scope}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    yield f'<div class="wide"><table>\n<thead><tr>{cells(head, "th")}</tr></thead>\n<tbody>'
    yield from (f"<tr>{cells(row, 'td')}</tr>" for row in told)
    yield "</tbody></table></div>"
