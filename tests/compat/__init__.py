"""Tests with other people's tools, run by `make compat`."""

from typing import Final

# Environment variable, set by `make compat`: without it the suite leaves these tests out.
CHOSEN: Final = "KAIVOX_COMPAT"
