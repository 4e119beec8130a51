"""Imported by Python at its start where this folder is in PYTHONPATH: sets the clock of the process ahead or
back. The monotonic clock is not changed, as on a machine whose clock jumps."""

import os
import time
from datetime import UTC, datetime

import time_machine

_OFFSET_SECONDS = float(os.environ["DRILL_CLOCK_OFFSET"])
time_machine.travel(datetime.fromtimestamp(time.time() + _OFFSET_SECONDS, UTC), tick=True).start()
