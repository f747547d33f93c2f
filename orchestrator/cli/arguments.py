"""The command line's grammar: `orchestrator [global options] COMMAND [options]`, global options before or after.

The command is found first, so that only its module is loaded; its own parser then reads everything else.
"""

from __future__ import annotations

import argparse
import textwrap
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from shutil import get_terminal_size
from typing import Any, NamedTuple, NoReturn

from orchestrator.errors import UsageError

PROGRAM = "orchestrator"
WITH_VALUE = frozenset({"--project", "--database", "--broker"})


class Words(NamedTuple):
    """A command line taken apart: the command (None where there is none) and all other words in their order."""

    command: str | None
    rest: list[str]


def find_command(words: Sequence[str]) -> Words:
    """The first word that is neither a global option nor its value."""
    skip = False
    for place, word in enumerate(words):
        if skip:
            skip = False
        elif word in WITH_VALUE:
            skip = True
        elif not word.startswith("-") or word == "-":
            return Words(word, [*words[:place], *words[place + 1 :]])
    return Words(None, list(words))


class Parser(argparse.ArgumentParser):
    """A parser that refuses in our words, and knows the nearest option."""

    def __init__(self, command: str, description: str, examples: str) -> None:
        super().__init__(
            prog=f"{PROGRAM} {command}",
            description=textwrap.fill(description, max(40, min(100, get_terminal_size().columns - 2))),
            epilog="examples:\n" + "\n".join(f"  {line}" for line in examples.strip().splitlines()),
            formatter_class=argparse.RawDescriptionHelpFormatter,
            allow_abbrev=False,
            add_help=False,
        )

    def error(self, message: str) -> NoReturn:
        """Raises UsageError."""
        raise UsageError(f"{message}{'' if message.endswith('?') else ';'} see {self.prog} --help")

    def read(self, words: Sequence[str]) -> argparse.Namespace:
        """Reads the words. Raises UsageError with the nearest option for one that does not exist."""
        args, unknown = self.parse_known_args(list(words))
        if unknown:
            self._refuse(unknown[0].partition("=")[0])
        return args

    def _refuse(self, word: str) -> NoReturn:
        if word.startswith("-") and word != "-":
            known = [name for action in self._actions for name in action.option_strings if name.startswith("--")]
            self.error(f"there is no option {word}{_hint(word, known)}")
        self.error(f"'{word}' is one word too many")


def command_parser(command: str, description: str, examples: str) -> Parser:
    """A parser with the global options; the command adds its own."""
    parser = Parser(command, description, examples)
    group = parser.add_argument_group("global options, before or after the command")
    group.add_argument(
        "--project",
        metavar="DIR",
        type=Path,
        default=Path("."),
        help="the folder that holds journeys/ and templates/ (default: here)",
    )
    group.add_argument("--database", metavar="URL", help="the database, for commands that use one")
    group.add_argument("--broker", metavar="URL", help="the message broker, for commands that use one")
    group.add_argument("--json", action="store_true", help="machine output on stdout, people's output on stderr")
    group.add_argument("-v", "--verbose", action="store_true", help="more about what is being done")
    group.add_argument("-h", "--help", action="help", help="show this help")
    return parser


def one_of(*choices: str) -> Callable[[str], str]:
    """An argument's type: one of these words, and the nearest where it is none of them."""

    def read(word: str) -> str:
        if word in choices:
            return word
        raise argparse.ArgumentTypeError(f"'{word}' is none of {', '.join(choices)}{_hint(word, choices)}")

    return read


def at_least(least: int) -> Callable[[str], int]:
    """An argument's type: a whole number, `least` or more."""

    def read(word: str) -> int:
        try:
            number = int(word)
        except ValueError:
            number = least - 1
        if number < least:
            raise argparse.ArgumentTypeError(f"'{word}' is no whole number from {least} on")
        return number

    return read


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """The known word that was probably meant."""
    from orchestrator.core.expression.nearest import nearest

    return nearest(word, known)


def _hint(word: str, known: Iterable[str]) -> str:
    found = nearest_word(word, known)
    return f"; did you mean {found}?" if found else ""


def only_one(args: argparse.Namespace, *names: str) -> str | None:
    """Which of these options was given. Raises UsageError for two of them; None for none."""
    given: list[str] = [name for name in names if _value(args, name) is not None]
    if len(given) > 1:
        raise UsageError(f"--{given[0]} and --{given[1]} cannot stand together; give one of them")
    return given[0] if given else None


def _value(args: argparse.Namespace, name: str) -> Any:
    return getattr(args, name.replace("-", "_"))
