"""Periodic tasks of appointments."""

from celery import shared_task

from appointments import reminders
from appointments.waitlist import operations as waitlist
from kaivox.db.clock import database_now


@shared_task
def record_due_reminders() -> None:
    """Every minute: `appointment.reminder_due` of appointments that begin soon."""
    reminders.record_due_reminders(now=database_now())


@shared_task
def offer_free_times() -> None:
    """Twice a minute: offers free times to those who wait for one."""
    waitlist.offer_free_times(now=database_now())
