"""Leaves the tests of this folder out of the suite: they belong to `make compat`. One that is named on
the command line runs."""

from __future__ import annotations

import os

from tests.compat import CHOSEN

collect_ignore_glob = [] if os.environ.get(CHOSEN) else ["test_*.py"]
