from __future__ import annotations

from datetime import timedelta

import pytest
from axes.models import AccessAttempt
from django.contrib.admin.models import CHANGE, LogEntry
from django.contrib.sessions.models import Session
from django.utils import timezone

from kaivox.businesses import retention
from kaivox.businesses.audit import record_audit
from kaivox.businesses.members import invite_member
from kaivox.businesses.models import AuditEntry, Business, Invitation
from kaivox.db import batches
from tests.factories import make_business, make_user

pytestmark = pytest.mark.django_db
NOW = timezone.now()


def sessions(age):
    Session.objects.create(session_key=str(age), expire_date=NOW - age)
    return Session.objects


def sign_ins(age):
    row = AccessAttempt.objects.create(ip_address="192.0.2.1", failures_since_start=1)
    AccessAttempt.objects.filter(pk=row.pk).update(attempt_time=NOW - age)
    return AccessAttempt.objects


def invitations(age):
    business = Business.objects.first() or make_business()
    row = invite_member(business_id=business.pk, email="a@example.com", role="staff", now=NOW)
    Invitation.objects.filter(pk=row.pk).update(expires_at=NOW - age)
    return Invitation.objects


def admin_log(age):
    LogEntry.objects.create(
        user=make_user(), action_flag=CHANGE, object_repr="it", action_time=NOW - age
    )
    return LogEntry.objects


class TestPruneRecords:
    @pytest.mark.parametrize(
        ("make", "retention_time"),
        (
            (sessions, timedelta(0)),
            (sign_ins, timedelta(days=30)),
            (admin_log, timedelta(days=730)),
            (invitations, timedelta(days=30)),
        ),
    )
    def test_deletes_each_kind_after_its_retention(self, make, retention_time):
        make(retention_time - timedelta(minutes=1))
        rows = make(retention_time + timedelta(minutes=1))
        assert rows.count() == 2
        assert retention.prune_records(now=NOW) == 1
        assert rows.count() == 1

    def test_deletes_the_audit_after_its_setting(self, business, settings, monkeypatch):
        settings.AUDIT_RETENTION_DAYS = 10
        monkeypatch.setattr(batches, "_BATCH_SIZE", 2)
        for days in (9, 11, 12, 13):
            record_audit(
                business=business,
                actor=None,
                action="business.changed",
                subject=business,
                now=NOW - timedelta(days=days),
            )
        assert retention.prune_records(now=NOW) == 3
        assert AuditEntry.objects.get().at == NOW - timedelta(days=9)
