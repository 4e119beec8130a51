"""Retention of sessions, login attempts, invitations, admin log entries and the audit."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.sessions.models import Session
from django.db.models import QuerySet

from kaivox.businesses.models import AuditEntry, Invitation
from kaivox.db.batches import delete_in_batches

# Long enough to investigate an attack; a lockout lasts only 15 minutes.
_LOGIN_RETENTION: Final = timedelta(days=30)


def prune_records(*, now: datetime) -> int:
    """Deletes expired sessions, login attempts after 30 days, invitations 30 days after they ended, and the
    admin log and the audit after AUDIT_RETENTION_DAYS. Returns the number of rows."""
    return sum(delete_in_batches(rows) for rows in _outdated(now))


def _outdated(now: datetime) -> Iterator[QuerySet[Any]]:
    logins, audit = now - _LOGIN_RETENTION, now - timedelta(days=settings.AUDIT_RETENTION_DAYS)
    yield Session.objects.filter(expire_date__lt=now)
    yield Invitation.objects.filter(expires_at__lt=logins)
    for model in (AccessAttempt, AccessFailureLog, AccessLog):
        yield model.objects.filter(attempt_time__lt=logins)
    yield LogEntry.objects.filter(action_time__lt=audit)
    yield AuditEntry.objects.filter(at__lt=audit)
