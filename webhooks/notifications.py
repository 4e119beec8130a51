"""E-mails to the business when an endpoint was disabled automatically.

Sent by a periodic task, once per endpoint: an unavailable mail server delays the e-mail and loses none.
"""

from __future__ import annotations

import logging
from datetime import datetime

from django.conf import settings
from django.db.models import QuerySet

from kaivox.mail import send_plain_mail
from webhooks.models import DISABLED_AUTOMATICALLY, DisabledReason, Endpoint

logger = logging.getLogger(__name__)


def send_due_notifications(*, now: datetime) -> int:
    """E-mails the contact of each business whose endpoint was disabled; returns how many."""
    sent = 0
    for endpoint in _pending():
        # Claims the row, so that concurrent tasks send one e-mail; undone where sending fails.
        claimable = Endpoint.objects.filter(pk=endpoint.pk, notified_at__isnull=True)
        if not claimable.update(notified_at=now):
            continue
        try:
            _send_email(endpoint)
            sent += 1
        except OSError as error:  # smtplib's errors are OSErrors
            logger.warning("The e-mail about a disabled endpoint could not be sent: %s", error)
            Endpoint.objects.filter(pk=endpoint.pk, notified_at=now).update(notified_at=None)
    return sent


def _pending() -> QuerySet[Endpoint]:
    return (
        Endpoint.objects.not_deleted()
        .filter(
            is_active=False, disabled_reason__in=DISABLED_AUTOMATICALLY, notified_at__isnull=True
        )
        .exclude(business__contact_email="")
        .select_related("business")
        .defer("secret", "previous_secret", "custom_headers")
    )


def _send_email(endpoint: Endpoint) -> None:
    reason = DisabledReason(endpoint.disabled_reason).label
    send_plain_mail(
        subject=f"KaiVox switched off a webhook endpoint of {endpoint.business.name}",
        body=(
            f"We no longer send events to\n\n  {endpoint.url}\n\nReason: {reason}.\n\n"
            "Events since then are stored. Once the receiver works again, switch the endpoint "
            "on and replay what it missed: in the admin\n\n"
            f"  {settings.PUBLIC_URL}/admin/webhooks/endpoint/{endpoint.pk}/change/\n\n"
            f"or with PATCH /api/v1/webhooks/{endpoint.pk} "
            f"and POST /api/v1/webhooks/{endpoint.pk}/recover.\n"
        ),
        recipients=[endpoint.business.contact_email],
    )
