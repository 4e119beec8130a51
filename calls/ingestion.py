"""Ingestion of provider messages: verifies the signature, parses, stores message and call together.

An unsigned message is not stored. A signed one is stored for 30 days, also where it cannot be parsed,
so that it can be replayed once the code is fixed.
"""

from __future__ import annotations

import base64
import logging
import zlib
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

from django.conf import settings
from django.db.models import QuerySet

from calls.call_report import CallReport, UnparsableMessage
from calls.models import Provider, ProviderAccount, ProviderMessage, UsedNonce
from calls.operations import prepare_report, upsert_call
from calls.providers import PROVIDERS, vobiz
from calls.providers.incoming import Incoming
from kaivox.businesses.models import Business
from kaivox.db.batches import delete_in_batches
from kaivox.db.compiled_query import CompiledQuery
from kaivox.db.encrypted_fields import readable
from kaivox.db.outages import OUTAGES
from kaivox.db.transactions import atomic_write
from kaivox.errors import NotFound
from ratelimits.backends import current_limiter
from ratelimits.limiter import Quota

logger = logging.getLogger(__name__)

KEEP: Final = timedelta(days=30)


class InvalidSignature(Exception):
    """Not signed with the secret of the business's account, or there is no such account."""


class TooManyMessages(Exception):
    """More messages of one account than `VOICE_MESSAGES_PER_MINUTE`."""

    def __init__(self, retry_after: int) -> None:
        self.retry_after = retry_after
        super().__init__(retry_after)


def receive(*, slug: str, provider: str, incoming: Incoming, now: datetime) -> ProviderMessage:
    """Stores one message and merges it into its call, which is `call` of the result.

    Raises NotFound for an unknown provider, InvalidSignature (also for an unknown business: responses
    must not show which exist), TooManyMessages, and UnparsableMessage for the business's own engine,
    whose developers can correct it; messages of others are stored as unreadable.
    """
    business = find_signed(slug, provider, incoming, now)
    _limit_rate(business, provider)
    message = ProviderMessage(
        business=business,
        provider=provider,
        content_type=incoming.content_type[:100],
        body=_seal(incoming.body),
    )
    _read_into(message, incoming, now, raises=provider == Provider.KAIVOX)
    return message


def replay(*, message: ProviderMessage, now: datetime) -> ProviderMessage:
    """Parses a stored message again with the current code. Raises NotFound where it was deleted meanwhile."""
    incoming = Incoming(body_of(message), message.content_type)
    message.replayed_at = now
    _read_into(message, incoming, now)
    return message


def body_of(message: ProviderMessage) -> bytes:
    """The body as it was received. Raises DecryptionError."""
    return zlib.decompress(base64.b64decode(readable(message.body)))


def forget_old_messages(*, now: datetime) -> int:
    """Deletes messages older than 30 days, in batches; returns their number."""
    return delete_in_batches(ProviderMessage.objects.filter(created_at__lt=now - KEEP))


def find_signed(slug: str, provider: str, incoming: Incoming, now: datetime) -> Business:
    """The business whose account of `provider` has signed the message. Raises NotFound, InvalidSignature."""
    if provider not in PROVIDERS:
        raise NotFound
    business, account = find_signer(
        slug, provider, lambda secret: PROVIDERS[provider].is_signed(incoming, secret, now)
    )
    if account is not None and provider == Provider.VOBIZ:
        _use_nonces(account, vobiz.nonces(incoming), incoming.body)
    return business


def find_signer(
    slug: str, provider: str, is_signed: Callable[[str], bool]
) -> tuple[Business, ProviderAccount | None]:
    """The business, and its account of `provider` with whose secret `is_signed` is true.

    Without an account, any request is accepted where the settings allow unsigned ones. Raises
    InvalidSignature, also for an unknown business.
    """
    if "\x00" in slug:  # PostgreSQL cannot compare it
        raise InvalidSignature
    account = _ACCOUNT.first(slug=slug, provider=provider)
    if account is not None:
        if not is_signed(readable(account.secret)):
            raise InvalidSignature
        return account.business, account
    business = Business.objects.filter(slug=slug).first()
    if business is None or not settings.VOICE_ALLOW_UNSIGNED:
        raise InvalidSignature
    return business, None


@atomic_write
def _use_nonces(account: ProviderAccount, nonces: Sequence[str], body: bytes) -> None:
    """Raises InvalidSignature for a nonce that came with another body before."""
    digest = sha256(body).hexdigest()
    for nonce in nonces:
        used, _ = UsedNonce.objects.get_or_create(
            account=account,
            nonce=sha256(nonce.encode()).hexdigest(),
            defaults={"body": digest},
        )
        if used.body != digest:
            raise InvalidSignature


def _limit_rate(business: Business, provider: str) -> None:
    """Raises TooManyMessages. Only signed messages count: a stranger cannot use the rate up."""
    quota = Quota(settings.VOICE_MESSAGES_PER_MINUTE)
    decision = current_limiter().take(f"v{business.pk}-{provider}", quota)
    if not decision.admitted:
        raise TooManyMessages(decision.retry_after)


def _account(slug: str, provider: str) -> QuerySet[Any]:
    accounts = ProviderAccount.objects.select_related("business")
    return accounts.filter(business__slug=slug, provider=provider, is_active=True)


_ACCOUNT: Final = CompiledQuery(_account)


def _read_into(
    message: ProviderMessage, incoming: Incoming, now: datetime, *, raises: bool = False
) -> None:
    """Parses, ingests and saves the message: a call and its message are written together. Raises
    UnparsableMessage instead of storing the message where `raises` is set."""
    message.error = ""
    try:
        report = PROVIDERS[message.provider].read(incoming)
        if report is not None:
            report = prepare_report(business=message.business, report=report, now=now)
        _store(message, report, now)
    except UnparsableMessage as error:
        if raises:
            raise
        _store_unreadable(message, str(error))
    except (*OUTAGES, NotFound):
        raise  # the provider sends it again; of a deleted message nothing may be stored
    except Exception as error:
        # The message is stored whatever error our code has: it can be replayed.
        logger.warning("A message of %s cannot be parsed", message.provider, exc_info=error)
        _store_unreadable(message, f"{type(error).__name__}: {error}")


@atomic_write
def _store(message: ProviderMessage, report: CallReport | None, now: datetime) -> None:
    message.state = ProviderMessage.State.IGNORED
    if report is not None:
        message.state = ProviderMessage.State.READ
        message.call = upsert_call(
            business=message.business, provider=message.provider, report=report, now=now
        )
    _save(message)


@atomic_write
def _store_unreadable(message: ProviderMessage, error: str) -> None:
    message.state = ProviderMessage.State.UNREADABLE
    message.error = error.replace("\x00", "")[:2000]
    _save(message)


def _save(message: ProviderMessage) -> None:
    """Raises NotFound where a stored message was deleted meanwhile, with an erased person or an old
    transcript: `save` would insert it again. Call it after the call is locked, as erasure locks it first."""
    stored = ProviderMessage.objects.filter(pk=message.pk).select_for_update(no_key=True)
    if message.pk is not None and not stored.values_list("pk"):
        raise NotFound
    message.save()


def _seal(body: bytes) -> str:
    """Fast compression, as text for the encrypted column."""
    return base64.b64encode(zlib.compress(body, 1)).decode("ascii")
