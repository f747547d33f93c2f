"""`lint` on 200 journeys, as a whole process: on a project in which no two are alike, and on one in which all are.

Each is linted once in a fresh process, with the bytecode beside the sources as an installed package has it. Other work
on the machine makes seconds longer; `cpu_seconds` are those in which the process itself computed.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bookings import ROOT
from benchmarks.varied_journeys import write_project

JOURNEYS = 200
_JOURNEY = """\
journey: {name}
topic: care
enter:
  event: booking_created
  where: event.adults >= 1 and count('checked_out', within='90d') < {n}
  key: event.booking_id
  reentry: {{after: 7d}}
exit:
  - event: booking_cancelled
    where: event.booking_id == entry.booking_id
  - when: customer.email == none
steps:
  - wait: {{until: entry.arrival, offset: -30d, at: "12:00", if_past: skip_next}}
  - email: t30
  - if: entry.adr > {n} and entry.hotel == 'Resort Hotel'
    then:
      - wait: 2d
      - email: {{template: t14, valid_for: 2d}}
    else:
      - wait: {{event: checked_in, where: event.booking_id == entry.booking_id, up_to: 20d}}
        then:
          - email: t7
  - choose:
      - when: count('booking_created', within='30d') > 2
        do:
          - email: t3
      - when: sum('booking_created', 'adr', within='30d', where=it.adults > 1) > 1000
        do:
          - track: {{event: no_show, properties: {{booking_id: "{{{{ entry.booking_id }}}}"}}}}
    default:
      - wait: {{until: "10:00", on: [mon..fri]}}
  - email: t1
"""


def run() -> dict[str, float]:
    """Seconds of `orchestrator lint --json`, those of the processor beside them, for journeys that differ and alike."""
    with tempfile.TemporaryDirectory() as folder:
        varied, alike = Path(folder, "varied"), Path(folder, "alike")
        write_project(varied, JOURNEYS)
        _write_alike(alike)
        environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
        environment["PYTHONPYCACHEPREFIX"] = str(Path(folder, "bytecode"))
        _lint(alike, environment)  # leaves the bytecode behind
        seconds, cpu_seconds = _lint(varied, environment)
        alike_seconds, alike_cpu_seconds = _lint(alike, environment)
    return {
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "alike_seconds": alike_seconds,
        "alike_cpu_seconds": alike_cpu_seconds,
        "journeys": JOURNEYS,
    }


def _write_alike(folder: Path) -> None:
    """The project of the replay, with the same journey 200 times in place of its own."""
    subprocess.run(["cp", "-r", f"{ROOT}/benchmarks/reminders", str(folder)], check=True)
    (folder / "journeys" / "booking_reminders.yaml").unlink()
    for n in range(JOURNEYS):
        (folder / "journeys" / f"care_{n}.yaml").write_text(_JOURNEY.format(name=f"care_{n}", n=n + 1))


def _lint(project: Path, environment: dict[str, str]) -> tuple[float, float]:
    """Seconds, and seconds of the processor."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    command = [sys.executable, "-m", "orchestrator.cli.main", "--project", str(project), "--json", "lint"]
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    seconds = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    errors = [p for p in json.loads(done.stdout) if p["severity"] == "error"]
    assert not errors, errors[:3]
    return seconds, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    print(json.dumps(run()))
