"""`POST /voice/<provider>/<business>`: where voice providers tell of calls."""

from __future__ import annotations

from typing import Any, Final

from django.conf import settings
from django.utils import timezone
from rest_framework.exceptions import APIException
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from calls import inbox
from calls.models import Message, Provider
from calls.providers.incoming import Incoming
from calls.voice_schema import EngineSchema
from kaivox.api.parsers import BodyTooLarge
from kaivox.api.renderers import EnvelopeRenderer
from kaivox.api.responses import Answer
from kaivox.api.views import LengthRequired

# A long call's transcript with the times of each word is a few hundred kilobytes.
MAX_BODY: Final = 8 * 1024 * 1024


class InvalidSignature(APIException):
    status_code = 401
    default_code = "invalid_signature"
    default_detail = (
        "The request is not signed with the secret of this provider's account. "
        "Set it in the admin, under provider accounts."
    )


class PayloadTooLarge(BodyTooLarge):
    default_detail = "The body is larger than 8 MiB."


class AlwaysJson(BaseContentNegotiation):
    """Providers ask for all sorts of forms and read none."""

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
        incoming = Incoming(
            body=_read_body(request),
            content_type=request.content_type or "",
            headers={name.lower(): value for name, value in request.headers.items()},
            urls=_our_addresses(request),
        )
        try:
            message = inbox.receive(
                slug=slug, provider=provider or self.provider, incoming=incoming, now=timezone.now()
            )
        except inbox.NotSigned as error:
            raise InvalidSignature from error
        return _answer(message)


class EngineView(VoiceView):
    """Tell KaiVox of a call.

    For voice engines that have no module of their own here. Sign the body as KaiVox signs its
    webhooks, with the secret of the business's account in the admin. Send what is known whenever it
    becomes known: messages about one `call_id` are merged, repeats change nothing, and their order
    does not matter.
    """

    schema = EngineSchema()

    provider = Provider.KAIVOX


def _read_body(request: Request) -> bytes:
    """Raises PayloadTooLarge; LengthRequired where the server in front hands a body on without its
    length, which Django reads as an empty one."""
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length == "0" and "chunked" in request.META.get("HTTP_TRANSFER_ENCODING", "").lower():
        raise LengthRequired
    body: bytes = request._request.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise PayloadTooLarge
    return body


def _our_addresses(request: Request) -> list[str]:
    """How the provider may have spelled this address: as it came in, or as we are known outside."""
    outside = f"{settings.PUBLIC_URL}{request.get_full_path()}"
    return list(dict.fromkeys([request.build_absolute_uri(), outside]))


def _answer(message: Message) -> Answer:
    data = {"state": message.state, "call_id": message.call_id, "error": message.error}
    return Answer(data, status=202 if message.state == Message.State.UNREADABLE else 200)
