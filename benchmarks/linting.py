"""`lint` on 200 journeys: makes a project of that size in a temporary folder, and lints it once in a fresh process."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.bookings import ROOT

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
    """Seconds of `orchestrator lint --json` as a whole process."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        subprocess.run(["cp", "-r", f"{ROOT}/benchmarks/reminders/.", folder], check=True)
        (root / "journeys" / "booking_reminders.yaml").unlink()
        for n in range(JOURNEYS):
            (root / "journeys" / f"care_{n}.yaml").write_text(_JOURNEY.format(name=f"care_{n}", n=n + 1))
        started = time.perf_counter()
        command = [sys.executable, "-m", "orchestrator.cli.main", "--project", folder, "--json", "lint"]
        done = subprocess.run(command, capture_output=True, text=True)
        seconds = time.perf_counter() - started
    errors = [p for p in json.loads(done.stdout) if p["severity"] == "error"]
    assert not errors, errors[:3]
    return {"seconds": seconds, "journeys": JOURNEYS}


if __name__ == "__main__":
    print(json.dumps(run()))
