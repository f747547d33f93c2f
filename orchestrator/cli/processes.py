"""What `worker`, `beat` and `serve` share: the settings of a process, its log, and Celery's own command line."""

from __future__ import annotations

import argparse
import os
from typing import TYPE_CHECKING, Any

from orchestrator.cli.terminal import Terminal

if TYPE_CHECKING:
    from orchestrator.settings import Settings


def process_settings(args: argparse.Namespace) -> Settings:
    """The settings of this run, and, in the environment, of every child of it: options come before variables.

    Raises UsageError where no broker is configured, or a setting cannot be used.
    """
    from orchestrator.settings import PREFIX
    from orchestrator.wiring.broker import needed_broker
    from orchestrator.wiring.databases import database_of
    from orchestrator.wiring.installation import settings_of

    settings = settings_of(args.database, args.broker)
    needed_broker(settings)
    database_of(settings, args.project).refuse_memory()
    given = {"PROJECT": str(args.project.resolve()), "BROKER_URL": settings.broker_url}
    if settings.database_url is not None:
        given["DATABASE_URL"] = settings.database_url
    os.environ.update({f"{PREFIX}{name}": value for name, value in given.items() if value is not None})
    return settings


def log_to(terminal: Terminal, settings: Settings, process: str) -> None:
    """What a process has to say goes to stderr, and its spans to where the settings say. Raises UsageError."""
    from orchestrator.wiring.logs import configure_logs
    from orchestrator.wiring.tracing import start_tracing

    configure_logs(process, settings.log_format, terminal.verbose, terminal.err)
    start_tracing(settings, process)


def celery_app(settings: Settings) -> Any:
    """The application. By its name: command line and tasks are siblings, and neither imports the other."""
    from importlib import import_module

    return import_module("orchestrator.tasks.app").make_app(settings.broker_url)


def celery_main(app: Any, words: list[str]) -> int:
    """Run a command of Celery's in this process; returns its exit code."""
    try:
        app.start([*words])
    except SystemExit as stop:
        return stop.code if isinstance(stop.code, int) else 0
    return 0
