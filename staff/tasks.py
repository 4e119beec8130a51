"""Celery task of members of staff: reads their calendars of busy times."""

from __future__ import annotations

from celery import shared_task

from staff.calendar_polling import poll_due

# Shorter than the schedule, so that runs rarely overlap; they may.
_SECONDS = 50.0


@shared_task
def read_busy_calendars() -> None:
    """Reads the calendars that are due."""
    poll_due(seconds=_SECONDS)
