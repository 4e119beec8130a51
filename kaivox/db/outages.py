"""Exceptions which mean that the database is unavailable, or busy for longer than we wait."""

from __future__ import annotations

from typing import Final

from django.db import InterfaceError, OperationalError

from kaivox.errors import Unavailable

OUTAGES: Final = (OperationalError, InterfaceError, Unavailable)
