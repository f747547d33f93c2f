"""``{% include 'email/_footer.html' %}``: partials put in place before anything else is done with a template.

A partial is a file in the templates folder whose name begins with an underscore, of the same kind as the file that
includes it. Names are looked up among the files that were read, so that no path can lead anywhere else. A translated
template takes the translated partial where there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from orchestrator.core.expression.nearest import did_you_mean
from orchestrator.records import dataclass
from orchestrator.templating.locales import fallbacks
from orchestrator.templating.pieces import Atom, Data, Piece, RawToken

DEEPEST = 5
MOST_PIECES = 20_000
MOST_CHARACTERS = 500_000

_KINDS: Mapping[str, frozenset[str]] = {
    "mjml": frozenset({"mjml", "html"}),
    "html": frozenset({"html"}),
    "txt": frozenset({"txt"}),
    "yaml": frozenset({"txt"}),
}
"""What a file of one kind may include."""

Report = Callable[[str, int, str, str | None], None]
Split = Callable[[str], list[Piece]]
"""Cut a partial (by its path in the templates folder) into pieces; reports what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Includer:
    """Puts partials in place for one file. `partials`: paths in the templates folder. `used` collects those taken."""

    folder: str
    kind: str
    locale: str | None
    partials: frozenset[str]
    split: Split
    report: Report
    used: list[str]

    def expand(self, pieces: list[Piece], within: tuple[str, ...] = ()) -> list[Piece]:
        """The pieces with every include exchanged for the partial's own pieces."""
        out: list[Piece] = []
        size = 0
        for piece in pieces:
            if not (isinstance(piece, Atom) and piece.word == "include"):
                out.append(piece)
                size += len(piece.text) if isinstance(piece, Data) else 0
                continue
            out += self._included(piece, within)
            if (
                len(out) > MOST_PIECES
                or size + sum(len(p.text) for p in out if isinstance(p, Data)) > 2 * MOST_CHARACTERS
            ):
                self.report(
                    "include_too_large", piece.mark, "the included files are too large together", "include less"
                )
                return out
        return out

    def _included(self, atom: Atom, within: tuple[str, ...]) -> list[Piece]:
        words = [token for token in atom.tokens[1:-1] if token[1] != "whitespace"]
        if len(words) != 2 or words[1][1] != "string":
            self.report("include", atom.mark, "an include names one file, in quotes", "{% include '_footer.html' %}")
            return []
        path = self._find(words[1][2][1:-1], words[1][0])
        if path is None:
            return []
        if path in within or len(within) >= DEEPEST:
            problem = "includes itself" if path in within else f"is included more than {DEEPEST} levels deep"
            self.report("include", atom.mark, f"'{path}' {problem}", "take one of the includes out")
            return []
        self.used.append(path)
        inner = self.expand(self.split(path), (*within, path))
        sets = any(isinstance(piece, Atom) and piece.word == "set" for piece in inner)
        return [_tag("with", atom.mark), *inner, _tag("endwith", atom.mark)] if sets else inner

    def _find(self, name: str, mark: int) -> str | None:
        path = name if "/" in name else f"{self.folder}/{name}"
        folder, _, file = path.rpartition("/")
        stem, _, suffix = file.rpartition(".")
        if not file.startswith("_"):
            hint = (
                f"did you mean '_{file}'?"
                if f"{folder}/_{file}" in self.partials
                else "partials begin with an underscore"
            )
            self.report("include", mark, f"'{name}' is no partial", hint)
            return None
        if suffix not in _KINDS.get(self.kind, frozenset()):
            possible = " or ".join(f".{kind}" for kind in sorted(_KINDS.get(self.kind, ())))
            self.report(
                "include", mark, f"a .{self.kind} template cannot include '{name}'", f"it includes {possible} files"
            )
            return None
        for locale in fallbacks(self.locale) if self.locale else ():
            if f"{folder}/{stem}.{locale}.{suffix}" in self.partials:
                return f"{folder}/{stem}.{locale}.{suffix}"
        if path in self.partials:
            return path
        hint = did_you_mean(path, self.partials) or f"make the file templates/{folder}/{file}"
        self.report("include", mark, f"there is no file 'templates/{path}'", hint)
        return None


def _tag(word: str, mark: int) -> Atom:
    tokens: tuple[RawToken, ...] = ((mark, "block_begin", "{%"), (mark, "name", word), (mark, "block_end", "%}"))
    return Atom("block", word, tokens, mark)
