"""The nearest known word: most mistakes are typing mistakes."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST_WORD = 60
"""Longer words are no typing mistakes, and comparing them would be slow."""

_CLOSE_ENOUGH = 0.66
_CLOSE_ENOUGH_FOR_A_BEGINNING = 0.6
"""For `foreach` where `for` is meant."""
_MOST_KNOWN = 2_000


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word that `word` was probably meant to be, or None. Case, `-`, `_` and spaces weigh nothing."""
    if not word or len(word) > LONGEST_WORD:
        return None
    from difflib import SequenceMatcher  # needed by mistakes alone

    plain = _plain(word)
    matcher: SequenceMatcher[str] = SequenceMatcher(autojunk=False)
    matcher.set_seq2(plain)
    best: tuple[float, str] | None = None
    for count, candidate in enumerate(known):
        if count >= _MOST_KNOWN:
            break
        if candidate == word:
            continue
        folded = _plain(candidate)
        if folded == plain:
            return candidate
        matcher.set_seq1(folded)
        enough = _CLOSE_ENOUGH_FOR_A_BEGINNING if folded and plain.startswith(folded) else _CLOSE_ENOUGH
        if matcher.real_quick_ratio() < enough or matcher.quick_ratio() < enough:
            continue
        ratio = matcher.ratio() + (0.02 if folded[:1] == plain[:1] else 0.0)
        if ratio >= enough and (best is None or ratio > best[0]):
            best = (ratio, candidate)
    return best[1] if best else None


def did_you_mean(word: str, known: Iterable[str], quote: str = "'") -> str | None:
    """``did you mean 'email'?``, or None where nothing is near."""
    found = nearest(word, known)
    return f"did you mean {quote}{found}{quote}?" if found is not None else None


def known_words(known: Iterable[str], most: int = 12) -> str:
    """The known words as a hint lists them, cut after a dozen."""
    words = sorted(known)
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")


def _plain(word: str) -> str:
    return word.casefold().replace("-", "").replace("_", "").replace(" ", "")
