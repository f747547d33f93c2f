"""The command line's entry: finds the command, runs it, and turns whatever goes wrong into words and an exit code.

0 fine, 1 your files have problems or a test failed, 2 usage, 3 our bug, 130 interrupted.
"""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
from collections.abc import Sequence

from orchestrator.cli.arguments import PROGRAM, command_parser, find_command, nearest_word
from orchestrator.cli.commands import COMMANDS, load_command
from orchestrator.cli.terminal import Terminal, discard_output
from orchestrator.errors import OrchestratorError, ProjectInvalid

INTERRUPTED = 130
USAGE = 2
OUR_BUG = 3

# What the machine, and not the program, refused: a file, a folder, a full disk.
_MACHINE_REFUSED = frozenset(
    {
        errno.ENOENT, errno.EACCES, errno.EPERM, errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOSPC, errno.EROFS,
        errno.ENAMETOOLONG, errno.EDQUOT, errno.EMFILE, errno.ENFILE,
    }
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> int:
    """Runs one command line (default: the process's own) and returns its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    atexit.register(gc.freeze)  # a process that ends need not look for garbage
    # The models of files have no use for plug-ins, and to look for some is to read about every installed package.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    terminal = Terminal(json_output="--json" in words, verbose="-v" in words or "--verbose" in words)
    try:
        try:
            code = _run(words, terminal)
        except SystemExit as stop:  # argparse has printed a help text
            code = stop.code if isinstance(stop.code, int) else 0
        terminal.flush()
        return code
    except BrokenPipeError:
        discard_output()
        return 0
    except KeyboardInterrupt:
        terminal.note("interrupted")
        return INTERRUPTED
    except Exception as error:
        return _complain(error, words, terminal)


def _run(words: Sequence[str], terminal: Terminal) -> int:
    command, rest = find_command(words)
    if command == "help":
        command, rest = find_command(rest)
        rest = [*rest, "--help"]
    if command is None:
        if "--version" in rest:
            from orchestrator import __version__

            terminal.out.write(f"{PROGRAM} {__version__}\n")
            return 0
        asked = "-h" in rest or "--help" in rest
        (terminal.out if asked else terminal.err).write(_overview())
        return 0 if asked else USAGE
    if command not in COMMANDS:
        near = nearest_word(command, COMMANDS)
        hint = f"; did you mean '{near}'?" if near else "."
        terminal.note(f"{PROGRAM}: there is no command '{command}'{hint} {PROGRAM} --help lists them all.")
        return USAGE
    module = load_command(command)
    parser = command_parser(command, module.DESCRIPTION, module.EXAMPLES)
    module.add_arguments(parser)
    return module.run(parser.read(rest), terminal)


def _overview() -> str:
    widest = max(map(len, COMMANDS))
    lines = [
        f"usage: {PROGRAM} [--project DIR] [--json] [-v] COMMAND ...",
        "",
        "Customer journeys written as files: lint, test, simulate and explain them.",
        "",
        "commands:",
        *(f"  {name:<{widest}}  {command.help}" for name, command in COMMANDS.items()),
        "",
        "global options, before or after the command:",
        "  --project DIR   the folder that holds journeys/ and templates/ (default: here)",
        "  --database URL  the database, for commands that use one",
        "  --broker URL    the message broker, for commands that use one",
        "  --json          machine output on stdout, people's output on stderr",
        "  -v, --verbose   more about what is being done",
        "  --version       show the version",
        "",
        f"{PROGRAM} COMMAND --help tells more about a command. To begin:",
        "",
        f"  {PROGRAM} init harbour",
    ]
    return "\n".join(lines) + "\n"


def _complain(error: Exception, words: Sequence[str], terminal: Terminal) -> int:
    """The error in the words of who can mend it, and the exit code. `-v` adds the traceback."""
    if terminal.verbose:
        import traceback

        terminal.note(traceback.format_exc().rstrip())
    try:
        if isinstance(error, ProjectInvalid):
            from orchestrator.cli.problem_list import show_problems

            show_problems(error.problems, None, terminal.note)
            return error.exit_code
        if isinstance(error, OrchestratorError) and error.exit_code != OUR_BUG:
            terminal.note(f"{PROGRAM}: {error}")
            return error.exit_code
        if type(error).__name__ == "StoreBusy":  # by its name: most commands never load a store
            terminal.note(f"{PROGRAM}: {error}; run the command again when it is free")
            return USAGE
        if isinstance(error, OSError) and error.errno in _MACHINE_REFUSED:
            where = f"{error.filename}: " if error.filename else ""
            terminal.note(f"{PROGRAM}: {where}{error.strerror}")
            return USAGE
        return _confess(error, words, terminal)
    except BrokenPipeError:
        discard_output()
        return OUR_BUG


def _confess(error: Exception, words: Sequence[str], terminal: Terminal) -> int:
    """A bug of ours: what to report, in a form that can be copied."""
    import platform
    import shlex

    from orchestrator import __version__

    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    place = f" at {last.tb_frame.f_globals.get('__name__')}:{last.tb_lineno}" if last is not None else ""
    what = " ".join(str(error).split())
    terminal.note(
        f"{PROGRAM}: this is a bug of ours, not a mistake in your files. Please report it with these lines:\n"
        f"  {type(error).__name__}: {what[:500] or '(no message)'}{place}\n"
        f"  {PROGRAM} {__version__}, Python {platform.python_version()}, {platform.system()} {platform.machine()}\n"
        f"  {PROGRAM} {shlex.join(words)}"
        + ("" if terminal.verbose else "\nRun it again with -v to see where it happened, and add that too.")
    )
    return OUR_BUG


if __name__ == "__main__":
    sys.exit(main())
