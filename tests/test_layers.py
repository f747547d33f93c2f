"""The layers hold: imports point down (see .importlinter), and the core asks no clock and no dice.

The core may import `datetime` and `zoneinfo`, so an import contract alone cannot keep it from asking what time it is.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

# Attributes that read a clock, whatever they are read from. Time is a parameter of everything in the core.
CLOCKS = {"now", "utcnow", "today", "monotonic", "perf_counter", "time_ns"}
CLOCK_OWNERS = {"datetime", "date", "time"}
BUILTINS = {"open", "print", "input", "eval", "exec", "breakpoint", "__import__"}


# What only an extra installs: such imports stand inside the function that needs them, behind a plain message.
POSTGRES = "orchestrator/stores/postgres/"
"""The one package that is there for an extra."""
EXTRAS = {
    "freezegun", "hypothesis", "numpy", "opentelemetry", "pgmq", "playwright", "polars", "psycopg", "pytest",
    "pywebpush", "redbeat", "scipy",
}  # fmt: skip


def _imported_at_once(body: list[ast.stmt]) -> set[str]:
    """Top-level packages that importing a module imports, without what stands in functions or for type checkers."""
    names: set[str] = set()
    for statement in body:
        match statement:
            case ast.Import(names=aliases):
                names |= {alias.name.partition(".")[0] for alias in aliases}
            case ast.ImportFrom(module=str(module)):
                names.add(module.partition(".")[0])
            case ast.If(test=ast.Name(id="TYPE_CHECKING"), orelse=rest):
                names |= _imported_at_once(rest)
            case ast.If(body=then, orelse=rest):
                names |= _imported_at_once([*then, *rest])
            case ast.Try(body=tried, orelse=rest):
                names |= _imported_at_once([*tried, *rest])
            case ast.ClassDef(body=inner) | ast.With(body=inner):
                names |= _imported_at_once(inner)
            case _:
                pass
    return names


def _pure_files() -> list[Path]:
    package = Path(__file__).resolve().parent.parent / "orchestrator"
    return [package / "errors.py", *sorted((package / "core").rglob("*.py"))]


def _impurities(source: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Attribute(value=ast.Name(id=owner), attr=name) if owner in CLOCK_OWNERS and name in CLOCKS:
                found.append(f"line {node.lineno}: {owner}.{name} reads a clock")
            case ast.Attribute(value=ast.Attribute(attr=owner), attr=name) if owner in CLOCK_OWNERS and name in CLOCKS:
                found.append(f"line {node.lineno}: {owner}.{name} reads a clock")
            case ast.Call(func=ast.Name(id=name)) if name in BUILTINS:
                found.append(f"line {node.lineno}: {name}() acts on the world")
            case ast.Global(names=names):
                found.append(f"line {node.lineno}: global {', '.join(names)} is state between calls")
            case _:
                pass
    return found


def test_imports_point_down(repository_root: Path) -> None:
    lint_imports = "from importlinter.cli import lint_imports_command; lint_imports_command()"
    run = subprocess.run(
        [sys.executable, "-c", lint_imports, "--no-cache"],
        cwd=repository_root,
        env=os.environ | {"PYTHONPATH": str(repository_root), "COLUMNS": "120"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, f"the layers do not hold; see CONTRIBUTING.md, Layers\n{run.stdout}{run.stderr}"


def test_a_plain_install_needs_no_extra(repository_root: Path) -> None:
    needing = {
        path.relative_to(repository_root).as_posix(): sorted(found)
        for path in sorted((repository_root / "orchestrator").rglob("*.py"))
        if (found := _imported_at_once(ast.parse(path.read_text(encoding="utf-8")).body) & EXTRAS)
    }
    outside = {path: found for path, found in needing.items() if not path.startswith(POSTGRES)}
    assert outside == {}


def test_the_package_for_postgresql_is_imported_only_where_it_is_asked_for(repository_root: Path) -> None:
    code = (
        "import sys, orchestrator.wiring.databases, orchestrator.stores.migrate, orchestrator.cli.main;"
        "print([name for name in sys.modules if name.startswith(('psycopg', 'orchestrator.stores.postgres'))])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=repository_root, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("path", _pure_files(), ids=lambda path: path.stem)
def test_the_core_asks_no_clock_and_touches_nothing(path: Path) -> None:
    assert _impurities(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    ["datetime.now(UTC)", "datetime.datetime.utcnow()", "date.today()", "time.monotonic()", "open('x')", "print(1)"],
)
def test_the_scan_finds_what_it_looks_for(source: str) -> None:
    assert len(_impurities(source)) == 1
