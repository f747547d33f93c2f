"""The nearest known word: most mistakes are typing mistakes."""

from __future__ import annotations

from collections.abc import Iterable

_LONGEST_WORD = 80
_MOST_WORDS = 5_000


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most like `word`, or None when none is like it. Bounded: matching is quadratic in the length."""
    if len(word) > _LONGEST_WORD:
        return None
    from difflib import get_close_matches  # needed by mistakes alone

    candidates = [candidate for candidate in known if len(candidate) <= _LONGEST_WORD][:_MOST_WORDS]
    folded = {candidate.casefold(): candidate for candidate in candidates}
    if word.casefold() in folded:
        return folded[word.casefold()]
    found = get_close_matches(word, candidates, n=1, cutoff=0.6) or get_close_matches(word.casefold(), folded, n=1)
    return folded.get(found[0], found[0]) if found else None


def did_you_mean(word: str, known: Iterable[str], quote: str = "'") -> str | None:
    """The hint ``did you mean 'word'?``, or None when no known word is near."""
    found = nearest(word, known)
    return f"did you mean {quote}{found}{quote}?" if found else None


def known_words(known: Iterable[str], most: int = 12) -> str:
    """The known words as a hint lists them, cut after a dozen."""
    words = sorted(known)
    return ", ".join(words[:most]) + (", ..." if len(words) > most else "")
