"""Plain e-mails to businesses and their people."""

from __future__ import annotations

from collections.abc import Sequence

from django.core.mail import send_mail


def send_plain_mail(*, subject: str, body: str, recipients: Sequence[str]) -> None:
    """Sends one e-mail to all of `recipients`. Raises OSError (smtplib's errors are OSErrors).

    White space in the subject is folded: subjects contain names that users typed, and Django raises
    BadHeaderError for a line break in a header.
    """
    send_mail(
        subject=" ".join(subject.split()),
        message=body,
        from_email=None,
        recipient_list=list(recipients),
    )
