"""The proof report as lines for a terminal, and as data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from orchestrator.core.project import PackChange
from orchestrator.core.time.iso import format_instant
from orchestrator.insights.proof import KINDS, Proof, Reached
from orchestrator.insights.proof_words import WORDS, reason_words, seconds_words


def proof_data(proof: Proof) -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "since": format_instant(proof.since),
        "until": format_instant(proof.until),
        "packs": list(proof.packs),
        "pack_changes": [{**asdict(change), "left_out": list(change.left_out)} for change in proof.pack_changes],
        "people": proof.people,
        "contacts": [{**reached._asdict(), "count": count} for reached, count in proof.contacts.items()],
        "withheld": [
            {"reason": reason, "channel": channel or None, "count": count}
            for (reason, channel), count in proof.withheld.items()
        ],
        "violations": dict(proof.violations),
        "found": [{**v._asdict(), "handed_at": format_instant(v.handed_at)} for v in proof.shown],
        "opt_outs": {
            "count": proof.opt_outs,
            "latency_p50_seconds": proof.latency_p50,
            "latency_max_seconds": proof.latency_max,
            "told_late": proof.told_late,
        },
        "delivery": {
            channel: {
                "handed_over": sent,
                "bounced": proof.bounced.get(channel, 0),
                "complained": proof.complained.get(channel, 0),
            }
            for channel, sent in proof.sent.items()
        },
    }


def proof_text(proof: Proof, month: str) -> str:
    """What a terminal shows."""
    words = WORDS["en"]
    lines = [f"{words['title']}, {month}", verdict(proof, words)]
    lines += [f"{words['packs']}: {packs_words(proof, words)}"] if proof.packs else []
    lines += [""]
    lines += [f"  {proof.violations[kind]:>6}  {words[kind]}" for kind in KINDS]
    lines += ["", f"{words['contacts']} ({words['people']}: {proof.people})"]
    lines += _columns([(*reached_words(reached, words), str(n)) for reached, n in proof.contacts.items()], words)
    lines += ["", words["withheld"]]
    lines += [
        f"  {count:>6}  {reason_words(reason, 'en')} ({reason}{', ' + channel if channel else ''})"
        for (reason, channel), count in proof.withheld.items()
    ] or [f"  {words['none']}"]
    lines += ["", f"{words['opt_outs']}: {proof.opt_outs}"]
    if proof.opt_outs:
        lines.append("  " + latency(proof, words))
    if proof.told_late:
        lines.append(f"  {words['told_late']}: {proof.told_late}")
    lines += ["", words["delivery"]]
    lines += [
        f"  {channel}: {sent} {words['sent']}, {rate(proof.bounced.get(channel, 0), sent)} {words['bounced']}, "
        f"{rate(proof.complained.get(channel, 0), sent)} {words['complained']}"
        for channel, sent in proof.sent.items()
    ] or [f"  {words['none']}"]
    lines += _found(proof, words)
    return "\n".join(lines)


def verdict(proof: Proof, words: Mapping[str, str]) -> str:
    """The first sentence: whether anything is wrong."""
    if proof.broken == 1:
        return words["one_broken"]
    return words["broken"].format(n=proof.broken) if proof.broken else words["clean"]


def packs_words(proof: Proof, words: Mapping[str, str]) -> str:
    """The packs that are kept, each with what of it is kept otherwise."""
    changes = {change.pack: change for change in proof.pack_changes}
    return ", ".join(name + (_changed(changes[name], words) if name in changes else "") for name in proof.packs)


def _changed(change: PackChange, words: Mapping[str, str]) -> str:
    said = [words["left_out"].format(rules=", ".join(change.left_out))] if change.left_out else []
    said += [words["codes"]] if change.codes else []
    said += [words[f"unknown_{change.unknown_country}"]] if change.unknown_country is not None else []
    return f" ({'; '.join(said)})"


def latency(proof: Proof, words: Mapping[str, str]) -> str:
    """How fast opt-outs took effect."""
    p50, longest = seconds_words(proof.latency_p50), seconds_words(proof.latency_max)
    return words["latency"].format(p50=p50, max=longest)


def reached_words(reached: Reached, words: Mapping[str, str]) -> tuple[str, str, str, str]:
    """The cells of a row of contacts."""
    basis = words[reached.basis] + (f" ({reached.source})" if reached.source else "")
    return reached.topic, reached.channel, words[reached.klass], basis


def rate(count: int, of: int) -> str:
    """A number and its share."""
    return f"{count} ({count / of:.2%})" if of else str(count)


def _columns(rows: Sequence[tuple[str, ...]], words: Mapping[str, str]) -> Iterator[str]:
    if not rows:
        yield f"  {words['none']}"
        return
    table = [tuple(words[name] for name in ("topic", "channel", "class", "basis", "count")), *rows]
    widths = [max(len(row[column]) for row in table) for column in range(5)]
    for row in table:
        cells = [cell.ljust(width) for cell, width in zip(row[:4], widths, strict=False)]
        yield "  " + "  ".join((*cells, row[4].rjust(widths[4])))


def _found(proof: Proof, words: Mapping[str, str]) -> Iterator[str]:
    if not proof.shown:
        return
    yield ""
    yield words["found"]
    for v in proof.shown:
        yield f"  {v.handed_at:%Y-%m-%d %H:%M:%S}Z  {words[v.kind]}: {v.customer}, {v.message}; {v.detail}"
    if proof.broken > len(proof.shown):
        yield "  " + words["more"].format(n=proof.broken - len(proof.shown))
