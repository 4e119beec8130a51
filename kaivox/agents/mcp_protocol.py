"""JSON-RPC 2.0 and the revisions of the Model Context Protocol: messages, headers, results. Pure.

modelcontextprotocol.io/specification: 2026-07-28, 2025-11-25, 2025-06-18, 2025-03-26.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from django.conf import settings

from kaivox.agents.tools.definition import Tool

STATELESS: Final = "2026-07-28"
WITH_HANDSHAKE: Final = ("2025-11-25", "2025-06-18", "2025-03-26")
REVISIONS: Final = (STATELESS, *WITH_HANDSHAKE)

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
SERVER_ERROR: Final = -32000
HEADER_MISMATCH: Final = -32020
UNSUPPORTED_PROTOCOL_VERSION: Final = -32022

SERVER_INFO: Final = {
    "name": "kaivox",
    "title": "KaiVox",
    "version": settings.SPECTACULAR_SETTINGS["VERSION"],
}
_PREFIX: Final = "io.modelcontextprotocol/"
# How long a client may remember lists: they change with the key's scopes and with releases.
_CACHE_MILLISECONDS: Final = 300_000

_STATUS: Final = {
    PARSE_ERROR: 400,
    INVALID_REQUEST: 400,
    HEADER_MISMATCH: 400,
    UNSUPPORTED_PROTOCOL_VERSION: 400,
}
_STATUS_SINCE_STATELESS: Final = {**_STATUS, INVALID_PARAMS: 400, METHOD_NOT_FOUND: 404}


class ProtocolError(Exception):
    """A JSON-RPC error. `status` is the HTTP status, where it is not that of the code."""

    def __init__(
        self, code: int, message: str, *, data: Any = None, status: int | None = None
    ) -> None:
        super().__init__(message)
        self.code, self.message, self.data = code, message, data
        self._status = status

    def status_for(self, message: Message | None) -> int:
        """HTTP status; earlier revisions carry errors of a method's own in a 200."""
        if self._status is not None:
            return self._status
        stateless = message is not None and message.is_stateless
        return (_STATUS_SINCE_STATELESS if stateless else _STATUS).get(self.code, 200)


@dataclass(frozen=True, slots=True)
class Message:
    """A request or notification. `revision` is what the request itself names, if it does."""

    method: str
    params: Mapping[str, Any] = field(default_factory=dict)
    id: str | int | None = None
    is_notification: bool = False

    @property
    def meta(self) -> Mapping[str, Any]:
        found = self.params.get("_meta")
        return found if isinstance(found, dict) else {}

    @property
    def revision(self) -> Any:
        return self.meta.get(f"{_PREFIX}protocolVersion")

    @property
    def is_stateless(self) -> bool:
        return self.revision is not None


def parse_message(body: bytes) -> Message:
    """Raises ProtocolError."""
    try:
        decoded = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise ProtocolError(PARSE_ERROR, "The body is not JSON.") from error
    if isinstance(decoded, list):
        raise ProtocolError(INVALID_REQUEST, "Batches are not supported: send one message a POST.")
    if not isinstance(decoded, dict) or decoded.get("jsonrpc") != "2.0":
        raise ProtocolError(INVALID_REQUEST, "The body is not a JSON-RPC 2.0 message.")
    method, params = decoded.get("method"), decoded.get("params")
    if method is None and ("result" in decoded or "error" in decoded):
        return Message("", is_notification=True)  # a response: nothing here has asked for one
    if not isinstance(method, str) or not (params is None or isinstance(params, dict)):
        raise ProtocolError(INVALID_REQUEST, "`method` is not a string or `params` no object.")
    identifier = decoded.get("id", "")
    if isinstance(identifier, bool) or not isinstance(identifier, str | int):
        raise ProtocolError(INVALID_REQUEST, "`id` is neither a string nor a whole number.")
    return Message(method, params or {}, identifier, is_notification="id" not in decoded)


def check_headers(message: Message, headers: Mapping[str, str]) -> None:
    """Raises ProtocolError where the headers are not those of the message's revision."""
    named = headers.get("MCP-Protocol-Version")
    if message.is_stateless:
        _check_stateless(message, headers, named)
    elif named is not None and named not in REVISIONS:
        raise unsupported(named)
    elif named == STATELESS and message.method != "initialize" and not message.is_notification:
        raise ProtocolError(
            INVALID_PARAMS,
            f"Revision {STATELESS} needs _meta with {_PREFIX}protocolVersion.",
            status=400,
        )


def _check_stateless(message: Message, headers: Mapping[str, str], named: str | None) -> None:
    if named != message.revision:
        raise ProtocolError(
            HEADER_MISMATCH, "The header MCP-Protocol-Version is not that of the message's _meta."
        )
    if message.is_notification:
        return
    if headers.get("Mcp-Method") != message.method:
        raise ProtocolError(
            HEADER_MISMATCH, "The header Mcp-Method is not the method of the message."
        )
    name = message.params.get("name")
    if message.method == "tools/call" and headers.get("Mcp-Name") != name:
        raise ProtocolError(HEADER_MISMATCH, "The header Mcp-Name is not the tool of the message.")
    if message.revision != STATELESS:
        raise unsupported(message.revision)
    if not isinstance(message.meta.get(f"{_PREFIX}clientCapabilities"), dict):
        raise ProtocolError(INVALID_PARAMS, f"_meta lacks {_PREFIX}clientCapabilities.", status=400)


def unsupported(revision: Any) -> ProtocolError:
    data = {"supported": list(REVISIONS), "requested": str(revision)[:40]}
    message = f"Protocol version {str(revision)[:40]} is not supported."
    return ProtocolError(UNSUPPORTED_PROTOCOL_VERSION, message, data=data)


def discovery(instructions: str) -> dict[str, Any]:
    """Result of `server/discover`."""
    return {
        "supportedVersions": list(REVISIONS),
        "capabilities": {"tools": {}},
        "instructions": instructions,
    }


def initialization(message: Message, instructions: str) -> dict[str, Any]:
    """Result of `initialize`: the revision that was asked for, else the newest with a handshake."""
    wanted = message.params.get("protocolVersion")
    return {
        "protocolVersion": wanted if wanted in WITH_HANDSHAKE else WITH_HANDSHAKE[0],
        "capabilities": {"tools": {}},
        "serverInfo": SERVER_INFO,
        "instructions": instructions,
    }


def show_tool(tool: Tool) -> dict[str, Any]:
    """A tool as `tools/list` shows it."""
    return {
        "name": tool.name,
        "title": tool.title,
        "description": tool.description,
        "inputSchema": tool.input_schema(),
        "outputSchema": tool.output_schema(),
        "annotations": tool.annotations(),
    }


def complete(
    message: Message, result: Mapping[str, Any], *, cacheable: bool = False
) -> Mapping[str, Any]:
    """`result` with what the message's revision adds to it."""
    if not message.is_stateless:
        return result
    found = {
        **result,
        "resultType": "complete",
        "_meta": {f"{_PREFIX}serverInfo": SERVER_INFO},
    }
    if cacheable:
        found |= {"ttlMs": _CACHE_MILLISECONDS, "cacheScope": "private"}
    return found
