"""Model Context Protocol over streamable HTTP: stateless, one POST, one JSON response.

Revision 2026-07-28 (no handshake, `server/discover`) and the earlier ones that begin with
`initialize`. Only `tools/call` is charged to the business's quota; the rest is limited per address,
because clients reconnect and list for every phone call.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.utils import timezone
from rest_framework.exceptions import AuthenticationFailed, MethodNotAllowed, NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from calls.call_report import number_of
from kaivox.agents import mcp_protocol as protocol
from kaivox.agents.context import ToolContext
from kaivox.agents.execution import call_tool
from kaivox.agents.mcp_protocol import Message, ProtocolError
from kaivox.agents.requests import clean_header, language_of, take_listing
from kaivox.agents.tools import TOOLS
from kaivox.api.exceptions import exception_handler
from kaivox.api.negotiation import JsonFirstNegotiation
from kaivox.businesses.auth.authentication import BearerKeyAuthentication, HeaderKeyAuthentication

_MAX_BODY: Final = 64 * 1024
INSTRUCTIONS: Final = (
    "Books appointments for callers. Read `say` to the caller as it is. Confirm service, day, time "
    "and name before book, reschedule and cancel. Offer at most three times. On an error, ask what "
    "`say` asks."
)


class McpView(APIView):
    """`POST /mcp`. GET and DELETE are 405: there are no streams and no sessions."""

    authentication_classes = (HeaderKeyAuthentication, BearerKeyAuthentication)
    content_negotiation_class = JsonFirstNegotiation
    parser_classes = ()
    http_method_names = ["post"]
    schema: Any = None
    message: Message

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        if request.method != "POST":
            raise MethodNotAllowed(str(request.method))
        # The message comes first: it decides whether the request is charged, which happens while
        # the key is looked up.
        self.message = _read_message(request)
        self.perform_authentication(request)
        self.check_throttles(request)
        self.check_permissions(request)
        _check_origin(request)
        protocol.check_headers(self.message, request.headers)
        if not self._is_charged():
            take_listing(request._request)

    def get_throttles(self) -> list[BaseThrottle]:
        return super().get_throttles() if self._is_charged() else []

    def post(self, request: Request) -> HttpResponse:
        if self.message.is_notification:
            return HttpResponse(status=202)
        result = self._result_of(request)
        return JsonResponse({"jsonrpc": "2.0", "id": self.message.id, "result": result})

    def handle_exception(self, exc: Exception) -> Response:
        """Errors as JSON-RPC errors, with the status and headers of the API's own."""
        if isinstance(exc, NotAuthenticated | AuthenticationFailed):
            exc.auth_header = self.get_authenticate_header(self.request)  # type: ignore[union-attr]
        answer = (
            Response() if isinstance(exc, ProtocolError) else exception_handler(exc, {"view": self})
        )
        return _error_response(getattr(self, "message", None), exc, answer)  # type: ignore[return-value]

    def _is_charged(self) -> bool:
        message = getattr(self, "message", None)
        return message is not None and message.method == "tools/call"

    def _result_of(self, request: Request) -> Mapping[str, Any]:
        method = self.message.method
        if method == "tools/call":
            return self._call(request)
        if method == "tools/list":
            context = self._context(request)
            shown = [tool for tool in TOOLS.values() if tool.is_allowed(context)]
            listed = {"tools": [protocol.show_tool(tool) for tool in shown]}
            return protocol.complete(self.message, listed, cacheable=True)
        if method == "server/discover":
            return protocol.complete(self.message, protocol.discovery(INSTRUCTIONS), cacheable=True)
        # Revision 2026-07-28 has neither.
        if method == "initialize" and not self.message.is_stateless:
            return protocol.initialization(self.message, INSTRUCTIONS)
        if method == "ping" and not self.message.is_stateless:
            return {}
        raise ProtocolError(protocol.METHOD_NOT_FOUND, f"There is no method {method[:60]}.")

    def _call(self, request: Request) -> Mapping[str, Any]:
        name = self.message.params.get("name")
        if not isinstance(name, str) or name not in TOOLS:
            known = ", ".join(TOOLS)
            raise ProtocolError(
                protocol.INVALID_PARAMS, f"Unknown tool {str(name)[:60]!r}. There are: {known}."
            )
        arguments = self.message.params.get("arguments", {})
        if not isinstance(arguments, dict):
            raise ProtocolError(protocol.INVALID_PARAMS, "`arguments` is not an object.")
        result = call_tool(self._context(request), name, arguments)
        return protocol.complete(
            self.message,
            {
                # Also as text: many clients show a model the text alone.
                "content": [{"type": "text", "text": result.as_json()}],
                "structuredContent": result.as_dict(),
                "isError": result.is_error,
            },
        )

    def _context(self, request: Request) -> ToolContext:
        key: Any = request.auth
        return ToolContext(
            business=key.business,
            source="mcp",
            now=timezone.now(),
            language=language_of(request._request),
            provider_call_id=clean_header(request._request, "X-Call-Id"),
            tool_call_id=clean_header(request._request, "Idempotency-Key"),
            caller_phone=number_of(clean_header(request._request, "X-Caller-Number")),
            scopes=key.scopes,
        )


def _read_message(request: Request) -> Message:
    """Raises ProtocolError."""
    body: bytes = request._request.read(_MAX_BODY + 1)
    if len(body) > _MAX_BODY:
        raise ProtocolError(
            protocol.INVALID_REQUEST, f"The body is larger than {_MAX_BODY // 1024} kB.", status=413
        )
    return protocol.parse_message(body)


def _check_origin(request: Request) -> None:
    """Only pages that the business allows may call from a browser (DNS rebinding)."""
    origin = request.headers.get("Origin")
    caller: Any = request.auth
    if origin and origin not in (settings.PUBLIC_URL, *caller.business.cors_origins):
        raise ProtocolError(
            protocol.INVALID_REQUEST, "This origin may not call the API.", status=403
        )


def _error_response(message: Message | None, exc: Exception, answer: Response) -> HttpResponse:
    if isinstance(exc, ProtocolError):
        code, text, data = exc.code, exc.message, exc.data
        status = exc.status_for(message)
    else:
        body: Any = answer.data
        status = answer.status_code
        code = protocol.INTERNAL_ERROR if status == 500 else protocol.SERVER_ERROR
        text, data = body["message"], {"code": body["code"], **body["meta"]}
    error = {"code": code, "message": text, **({"data": data} if data else {})}
    reply = {"jsonrpc": "2.0", "id": None if message is None else message.id, "error": error}
    headers = {name: answer[name] for name in ("WWW-Authenticate", "Retry-After") if name in answer}
    return JsonResponse(reply, status=status, headers=headers)
