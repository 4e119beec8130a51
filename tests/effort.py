"""How many generated examples a test tries: few in `make test`, all with `TEST_THOROUGH=1`.

`.ci/run` sets the variable. Examples written out in a test (`@example`) always run.
"""

from __future__ import annotations

import os
from typing import Final

THOROUGH: Final = os.environ.get("TEST_THOROUGH", "") == "1"


def examples(thorough: int, *, quick: int) -> int:
    """The number of examples for this run."""
    return thorough if THOROUGH else quick
