"""`POST /voice/<provider>/<business>`: inbound messages of voice providers about calls."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.utils import timezone
from rest_framework.exceptions import APIException, ErrorDetail, Throttled
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from calls import ingestion
from calls.call_report import NotJson, UnparsableMessage
from calls.models import Provider, ProviderMessage
from calls.provider_schema import EngineSchema
from calls.providers.incoming import Incoming
from kaivox.api.parsers import BodyTooLarge, InvalidJson
from kaivox.api.renderers import EnvelopeRenderer
from kaivox.api.responses import EnvelopeResponse
from kaivox.api.views import LengthRequired, reject_compressed
from kaivox.errors import Invalid

# A long call's transcript with the times of each word is a few hundred kilobytes.
MAX_BODY: Final = 8 * 1024 * 1024
# Callbacks without a transcript.
MAX_FORM: Final = 64 * 1024
_FORM_TYPES: Final = ("application/x-www-form-urlencoded", "multipart/form-data", "text/plain")


class InvalidSignature(APIException):
    status_code = 401
    default_code = "invalid_signature"
    default_detail = (
        "The request is not signed with the secret of this provider's account. "
        "Set it in the admin, under provider accounts."
    )


class PayloadTooLarge(BodyTooLarge):
    def __init__(self, limit: int) -> None:
        size = f"{limit // 1024} KiB" if limit == MAX_FORM else f"{limit // 1024**2} MiB"
        super().__init__(f"The body is larger than {size}.")


class TooManyMessages(Throttled):
    default_code = "rate_limit_exceeded"

    def __init__(self, retry_after: int) -> None:
        super().__init__(wait=retry_after)
        text = f"This account sends too many messages. Try again in {retry_after} seconds."
        self.detail = ErrorDetail(text, self.default_code)


class AlwaysJson(BaseContentNegotiation):
    """Providers send all kinds of Accept headers and read no response body."""

    def select_renderer(self, request: Any, renderers: Any, format_suffix: Any = None) -> Any:
        return renderers[0], renderers[0].media_type


class VoiceView(APIView):
    """A message of a voice provider about a call."""

    authentication_classes = ()
    permission_classes = ()
    throttle_classes = ()
    parser_classes = ()
    renderer_classes = (EnvelopeRenderer,)
    content_negotiation_class = AlwaysJson
    schema: Any = None
    provider = ""

    def post(self, request: Request, slug: str, provider: str = "") -> Response:
        provider = provider or self.provider
        return self.receive(slug, provider, self.incoming(request, provider))

    def incoming(self, request: Request, provider: str) -> Incoming:
        """The request as the provider's module reads it.

        Raises CompressedBody, PayloadTooLarge, LengthRequired.
        """
        return Incoming(
            body=_read_body(request, provider),
            content_type=request.content_type or "",
            headers={name.lower(): value for name, value in request.headers.items()},
            urls=_our_addresses(request),
        )

    def receive(self, slug: str, provider: str, incoming: Incoming) -> Response:
        """Stores a message about a call. Raises InvalidSignature, TooManyMessages, InvalidJson,
        Invalid, NotFound."""
        try:
            message = ingestion.receive(
                slug=slug, provider=provider, incoming=incoming, now=timezone.now()
            )
        except ingestion.InvalidSignature as error:
            raise InvalidSignature from error
        except ingestion.TooManyMessages as error:
            raise TooManyMessages(error.retry_after) from error
        except NotJson as error:
            raise InvalidJson(str(error)) from error
        except UnparsableMessage as error:
            raise Invalid(errors=error.errors) from error
        return _receipt(message)


class EngineView(VoiceView):
    """Report a call to KaiVox.

    For voice engines that have no module of their own here. Sign the body as KaiVox signs its
    webhooks, with the secret of the business's account in the admin. Send what is known whenever it
    becomes known: messages about one `call_id` are merged, repeats change nothing, and their order
    does not matter.
    """

    schema = EngineSchema()

    provider = Provider.KAIVOX


def _read_body(request: Request, provider: str) -> bytes:
    """Raises CompressedBody and PayloadTooLarge before reading; LengthRequired where the server in front hands a body
    on without its length, which Django reads as an empty one."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length == "0" and "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        raise LengthRequired
    reject_compressed(request)
    media_type = (request.content_type or "").partition(";")[0].strip().lower()
    is_form = provider in (Provider.TWILIO, Provider.VOBIZ) or media_type in _FORM_TYPES
    limit = MAX_FORM if is_form else MAX_BODY
    if length.isascii() and length.isdigit() and int(length) > limit:
        raise PayloadTooLarge(limit)
    body: bytes = request._request.read(limit + 1)
    if len(body) > limit:
        raise PayloadTooLarge(limit)
    return body


def _our_addresses(request: Request) -> list[str]:
    """URLs that the provider may have signed: the one received, and the public one."""
    outside = f"{settings.PUBLIC_URL}{request.get_full_path()}"
    return list(dict.fromkeys([request.build_absolute_uri(), outside]))


def _receipt(message: ProviderMessage) -> EnvelopeResponse:
    data = {"state": message.state, "call_id": message.call_id, "error": message.error}
    return EnvelopeResponse(
        data, status=202 if message.state == ProviderMessage.State.UNREADABLE else 200
    )
