"""E-mails about security-relevant changes: keys, roles, the contact address, endpoints, two-factor
authentication.

A notice is a row, written in the transaction of the change and sent by a task: a change that is
rolled back sends no e-mail, and an outage of the mail server delays notices and loses none.
"""

from __future__ import annotations

import logging
from collections.abc import Collection
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User

from kaivox.businesses.models import Business, Membership, Role, SecurityNotice
from kaivox.mail import send_plain_mail

logger = logging.getLogger(__name__)

# An older notice that could not be sent is no longer useful.
_DISCARD_AFTER: Final = timedelta(days=3)
_BATCH_SIZE: Final = 100


def notify_owners(
    *, business: Business, subject: str, text: str, now: datetime, also: str = ""
) -> None:
    """Queues an e-mail to the contact address and the owners of `business`, and to the address `also`."""
    owners = Membership.objects.filter(business=business, role=Role.OWNER, user__is_active=True)
    addresses = {business.contact_email, also, *owners.values_list("user__email", flat=True)}
    _queue(addresses, f"{subject} ({business.name})", f"Business: {business.name}\n{text}", now)


def notify_person(*, user: User, subject: str, text: str, now: datetime) -> None:
    """Queues an e-mail to `user`, or to the contacts of their businesses if they have no address."""
    contacts = Business.objects.filter(memberships__user=user)
    addresses = (
        {user.email} if user.email else set(contacts.values_list("contact_email", flat=True))
    )
    _queue(addresses, subject, text, now)


def send_security_notices(*, now: datetime) -> int:
    """Sends pending notices. Returns the number of e-mails sent."""
    SecurityNotice.objects.filter(created_at__lt=now - _DISCARD_AFTER).delete()
    sent = 0
    for notice in SecurityNotice.objects.order_by("pk")[:_BATCH_SIZE]:
        # Deleting claims the notice: of two tasks one sends it. It is restored on failure.
        if not SecurityNotice.objects.filter(pk=notice.pk).delete()[0]:
            continue
        try:
            send_plain_mail(subject=notice.subject, body=notice.body, recipients=[notice.recipient])
            sent += 1
        except (OSError, ValueError) as error:
            logger.warning("A security notice could not be sent: %s", error)
            notice.save(force_insert=True)
    return sent


def _queue(addresses: Collection[str], subject: str, text: str, now: datetime) -> None:
    body = (
        f"{text}\n\nTime: {now:%Y-%m-%d %H:%M} UTC\n\n"
        f"If this was not done by you or your team, revoke it at {settings.PUBLIC_URL}/settings and change your "
        "password.\n"
    )
    SecurityNotice.objects.bulk_create(
        SecurityNotice(recipient=address, subject=subject[:300], body=body, created_at=now)
        for address in sorted(set(filter(None, addresses)))
    )
