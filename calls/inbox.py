"""What happens to a message of a provider: is it theirs, what does it say, and is it kept?

Unsigned: nothing is stored. Signed: the message is kept for 30 days, whatever our code makes of it,
so that one which cannot be read today can be read again when the code has been mended.
"""

from __future__ import annotations

import base64
import logging
import zlib
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet

from calls.models import Message, ProviderAccount
from calls.operations import merge_report
from calls.providers import PROVIDERS
from calls.providers.incoming import Incoming
from calls.report import CallReport, Unreadable
from kaivox.api.exceptions import is_outage
from kaivox.api.prepared import Prepared
from kaivox.businesses.models import Business
from kaivox.businesses.write_lock import atomic_write
from kaivox.errors import NotFound, Unavailable

logger = logging.getLogger(__name__)

KEEP: Final = timedelta(days=30)


class NotSigned(Exception):
    """Not signed with the secret of the business's account, or there is no such account."""


def receive(*, slug: str, provider: str, incoming: Incoming, now: datetime) -> Message:
    """Takes in one message; `call` of the answer is what it was about.

    Raises NotFound for an unknown business or provider, NotSigned.
    """
    business = _find_signed(slug, provider, incoming, now)
    message = Message(
        business=business,
        provider=provider,
        content_type=incoming.content_type[:100],
        body=_seal(incoming.body),
    )
    _read_into(message, incoming, now)
    return message


def replay(*, message: Message, now: datetime) -> Message:
    """Reads a kept message again, with the code of today."""
    incoming = Incoming(body_of(message), message.content_type)
    message.replayed_at = now
    _read_into(message, incoming, now)
    return message


def body_of(message: Message) -> bytes:
    """The body as it came in."""
    return zlib.decompress(base64.b64decode(message.body))


@atomic_write
def forget_old_messages(*, now: datetime) -> int:
    """Deletes what is older than 30 days; returns how many."""
    count, _ = Message.objects.filter(created_at__lt=now - KEEP).delete()
    return count


def _find_signed(slug: str, provider: str, incoming: Incoming, now: datetime) -> Business:
    """The business whose account of `provider` has signed the message. Raises NotFound, NotSigned."""
    if provider not in PROVIDERS:
        raise NotFound
    account = _ACCOUNT.first(slug=slug, provider=provider)
    if account is not None:
        if PROVIDERS[provider].is_signed(incoming, account.secret, now):
            signer: Business = account.business
            return signer
        raise NotSigned
    business = Business.objects.filter(slug=slug).first()
    if business is None:
        raise NotFound
    if not settings.VOICE_ALLOW_UNSIGNED:
        raise NotSigned
    return business


def _account(slug: str, provider: str) -> QuerySet[Any]:
    accounts = ProviderAccount.objects.select_related("business")
    return accounts.filter(business__slug=slug, provider=provider, is_active=True)


_ACCOUNT: Final = Prepared(_account)


def _read_into(message: Message, incoming: Incoming, now: datetime) -> None:
    """Reads, ingests and saves the message: a call and its message are written together."""
    message.error = ""
    try:
        report = PROVIDERS[message.provider].read(incoming)
        _store(message, report, now)
    except Unreadable as error:
        _keep_unread(message, str(error))
    except Exception as error:
        if is_outage(error) or isinstance(error, Unavailable):
            raise  # the provider sends it again
        # Whatever our code trips over, the message is kept.
        logger.warning("A message of %s cannot be read", message.provider, exc_info=error)
        _keep_unread(message, f"{type(error).__name__}: {error}")


@atomic_write
def _store(message: Message, report: CallReport | None, now: datetime) -> None:
    message.state = Message.State.IGNORED
    if report is not None:
        message.state = Message.State.READ
        message.call = merge_report(
            business=message.business, provider=message.provider, report=report, now=now
        )
    message.save()


@atomic_write
def _keep_unread(message: Message, error: str) -> None:
    message.state = Message.State.UNREADABLE
    message.error = error.replace("\x00", "")[:2000]
    message.save()


def _seal(body: bytes) -> str:
    """Fast compression, as text for the encrypted column."""
    return base64.b64encode(zlib.compress(body, 1)).decode("ascii")
