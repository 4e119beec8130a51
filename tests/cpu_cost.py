"""CPU time of code: bounded, and in proportion to its input.

CPU time of this thread is measured, not wall time, and the least of several times counts. Neither is
enough on a machine with other load, where threads share the caches and the units of a core: 4 jobs on
two cores tripled the CPU time of the same work. So it is divided by how much slower than on an idle
core known work is at the same moment.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from typing import Final

import pytest

CHEAP_SECONDS: Final = 0.1
# Growth is compared above it. Below, the caches of a shared processor decide: Python's own unquote(),
# which is linear, took 4.6 times as long for twice the text.
_COMPARED_SECONDS: Final = 0.25
_MAX_GROWTH: Final = 2.5
_ROUNDS: Final = 5  # measured again where too slow, as the processor may be shared at this moment
_KNOWN_TEXT: Final = "I am not happy. " * 20_000
_IDLE_SECONDS: Final = (
    0.0105  # of the known work, on an idle core of the machine that set the limits
)


def cpu_seconds(work: Callable[[], object]) -> float:
    """The CPU time of `work` in this thread."""
    begun = time.thread_time()
    work()
    return time.thread_time() - begun


def check_cost(
    whole: Callable[[], float], half: Callable[[], float], here: str, *, limit: float
) -> None:
    """Fails the test unless `whole`, which returns CPU seconds, takes at most `limit` on an idle core,
    and at most 2.5 times those of `half`, which handles half of the input."""
    full = whole()
    if full <= CHEAP_SECONDS:
        return
    part = half()
    for _ in range(_ROUNDS):
        slowness = _slowness()
        full, part = min(full, whole() / slowness), min(part, half() / slowness)
        if full <= min(limit, max(_MAX_GROWTH * part, _COMPARED_SECONDS)):
            return
    pytest.fail(f"{here}: {part:.3f} s of CPU for half of it, {full:.3f} s for all")


def _slowness() -> float:
    """How many times longer than on an idle core known work takes at this moment; at least 1."""
    spent = min(cpu_seconds(_known_work) for _ in range(2))
    return max(1.0, spent / _IDLE_SECONDS)


def _known_work() -> None:
    for _ in re.finditer(r"\w+", _KNOWN_TEXT):
        pass
