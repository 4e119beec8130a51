"""`POST /voice/<provider>/<business>/tools`: tools as the voice providers call them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from rest_framework.exceptions import Throttled
from rest_framework.request import Request

from calls import ingestion
from calls.call_report import UnparsableMessage
from calls.models import Provider, ToolProvider
from calls.provider_views import InvalidSignature, VoiceView
from calls.providers.incoming import Incoming, same
from kaivox.agents.context import ToolContext
from kaivox.agents.execution import call_tool, error_result
from kaivox.agents.providers import PROVIDERS, Answered, ToolRequest, plain, vapi
from kaivox.agents.requests import language_of, take_tool_call
from kaivox.api.parsers import BodyTooLarge
from kaivox.businesses.models import Business
from kaivox.errors import Invalid, NotFound

# Vapi and Retell send the conversation so far along; of the others only arguments come.
_MAX_PLAIN_BODY: Final = 64 * 1024


class ToolsView(VoiceView):
    """One or several tool calls of a voice provider, signed as its messages about calls are."""

    schema: Any = None

    def post(self, request: Request, slug: str, provider: str = "", tool: str = "") -> Any:
        name = provider or self.provider
        incoming = self.incoming(request, name)
        business = find_signer(slug, name, incoming)
        if PROVIDERS[name] is plain and len(incoming.body) > _MAX_PLAIN_BODY:
            raise BodyTooLarge("The arguments are larger than 64 kB.")
        return answer_tools(request, business, name, incoming, tool)


class VapiView(VoiceView):
    """Vapi's server URL: tool calls are run, messages about calls are stored."""

    schema: Any = None
    provider = Provider.VAPI

    def post(self, request: Request, slug: str, provider: str = "") -> Any:
        incoming = self.incoming(request, self.provider)
        # First, as only signed bodies are parsed: 8 MiB of JSON can take 200 MB of memory.
        business = find_signer(slug, self.provider, incoming)
        if not vapi.is_tool_calls(incoming):
            return self.receive(slug, self.provider, incoming)
        return answer_tools(request, business, self.provider, incoming, "")


def find_signer(slug: str, provider: str, incoming: Incoming) -> Business:
    """The business whose account of `provider` has signed the request. Raises NotFound,
    InvalidSignature."""
    if provider not in PROVIDERS:
        raise NotFound
    try:
        if provider in ToolProvider.values:
            token = incoming.bearer_token()
            return ingestion.find_signer(slug, provider, lambda secret: same(token, secret))[0]
        return ingestion.find_signed(slug, provider, incoming, timezone.now())
    except ingestion.InvalidSignature as error:
        raise InvalidSignature from error


def answer_tools(
    request: Request, business: Business, provider: str, incoming: Incoming, tool: str
) -> HttpResponse:
    """Runs the tool calls of a request. What goes wrong is said to the caller: Vapi ignores all but
    200, and others let the agent improvise."""
    module = PROVIDERS[provider]
    context = ToolContext(
        business=business,
        source=provider,
        now=timezone.now(),
        language=language_of(request._request),
    )
    try:
        requests = module.read(incoming, tool)
    except UnparsableMessage as error:
        if provider in (Provider.KAIVOX, Provider.RETELL):
            raise Invalid(str(error)) from error
        requests = [ToolRequest(tool=tool, arguments=None)]
        return _json(module.write([Answered(requests[0], error_result(context, "failed"))]))
    return _json(module.write(_run_all(context, requests)))


def _run_all(context: ToolContext, requests: Sequence[ToolRequest]) -> list[Answered]:
    return [Answered(request, _run(context, request)) for request in requests]


def _run(context: ToolContext, request: ToolRequest) -> Any:
    about = replace(
        context,
        provider_call_id=request.provider_call_id,
        tool_call_id=request.tool_call_id,
        caller_phone=request.caller_phone,
    )
    try:
        take_tool_call(context.business)
    except Throttled:
        return error_result(about, "too_many_requests")
    if context.business.is_suspended:
        return error_result(about, "business_suspended")
    return call_tool(about, request.tool, request.arguments)


def _json(body: Any) -> HttpResponse:
    return JsonResponse(body, json_dumps_params={"ensure_ascii": False, "separators": (",", ":")})
