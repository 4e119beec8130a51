"""Whom do we tell that an endpoint was switched off, and when? The business's contact, once, from a
sweep: a mail server that is away delays the letter and loses nothing."""

from __future__ import annotations

import logging
from datetime import datetime

from django.conf import settings
from django.core.mail import send_mail
from django.db.models import QuerySet

from webhooks.models import DisabledReason, Endpoint

logger = logging.getLogger(__name__)

_OURS = (DisabledReason.GONE, DisabledReason.FAILING)


def send_due_notices(*, now: datetime) -> int:
    """Writes to the contact of each business whose endpoint we switched off; returns how many."""
    sent = 0
    for endpoint in _untold():
        # Claims it: of two sweeps one writes. A letter that fails is given back.
        mine = Endpoint.objects.filter(pk=endpoint.pk, notified_at__isnull=True)
        if not mine.update(notified_at=now):
            continue
        try:
            _write_letter(endpoint)
            sent += 1
        except OSError as error:  # smtplib's errors are OSErrors
            logger.warning("A notice of a switched-off endpoint could not be sent: %s", error)
            Endpoint.objects.filter(pk=endpoint.pk, notified_at=now).update(notified_at=None)
    return sent


def _untold() -> QuerySet[Endpoint]:
    return (
        Endpoint.objects.kept()
        .filter(is_active=False, disabled_reason__in=_OURS, notified_at__isnull=True)
        .exclude(business__contact_email="")
        .select_related("business")
        .defer("secret", "previous_secret")
    )


def _write_letter(endpoint: Endpoint) -> None:
    reason = DisabledReason(endpoint.disabled_reason).label
    send_mail(
        subject=f"KaiVox switched off a webhook endpoint of {endpoint.business.name}",
        message=(
            f"We no longer send events to\n\n  {endpoint.url}\n\nbecause {reason}.\n\n"
            "What happened since then is kept. Once the receiver works again, switch the endpoint "
            "on and replay what it missed: in the admin\n\n"
            f"  {settings.PUBLIC_URL}/admin/webhooks/endpoint/{endpoint.pk}/change/\n\n"
            f"or with PATCH /api/v1/webhooks/{endpoint.pk} "
            f"and POST /api/v1/webhooks/{endpoint.pk}/recover.\n"
        ),
        from_email=None,
        recipient_list=[endpoint.business.contact_email],
    )
