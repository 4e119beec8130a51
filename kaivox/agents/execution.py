"""Runs one tool call: once per id, always with a result, and recorded."""

from __future__ import annotations

import hashlib
import json
import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import DataError

from appointments.models import Appointment, AppointmentStatus, Hold
from calls.tool_calls import record_tool_call
from kaivox.agents.arguments import Arguments
from kaivox.agents.context import ToolContext
from kaivox.agents.names import find_by_name
from kaivox.agents.results import OK, ToolError, ToolResult
from kaivox.agents.speech import say
from kaivox.agents.tools import TOOLS, Tool
from kaivox.db.outages import OUTAGES
from kaivox.db.transactions import write_transaction
from kaivox.errors import DomainError, Unavailable
from kaivox.idempotency.models import IdempotencyRecord
from kaivox.idempotency.operations import InProgress, acquire, release, store_response

logger = logging.getLogger(__name__)

_POLL_SECONDS: Final = 0.05
# A provider that repeats a call while the first runs waits for its result this long.
_WAIT_SECONDS: Final = 5.0
# How often the same arguments may take effect in one call: booked, cancelled, booked again.
_MOST_REPEATS: Final = 10
_DEEPEST: Final = 5


def call_tool(context: ToolContext, name: str, arguments: Any) -> ToolResult:
    """The result of a tool call; errors are results too. Recorded with its phone call."""
    begun = time.perf_counter()
    values = _object(arguments)
    result = _result_of(context, name, values)
    record_tool_call(
        business=context.business,
        source=context.source,
        provider_call_id=context.provider_call_id,
        tool_call_id=context.tool_call_id,
        tool=name,
        arguments=arguments if values is None else values,
        status=result.status,
        result=result.as_dict(),
        customer_id=result.customer_id,
        duration_ms=round((time.perf_counter() - begun) * 1000),
    )
    return result


def error_result(context: ToolContext, status: str) -> ToolResult:
    """An error whose sentence the catalogue has under its code."""
    key = status if status in context.language.sentences else "failed"
    return ToolResult(say(context.language, key), status)


def _object(arguments: Any) -> dict[str, Any] | None:
    """Arguments as an object: some providers send its JSON as text. None: they are none."""
    if isinstance(arguments, str):
        try:
            arguments = json.loads(arguments or "{}")
        except (ValueError, RecursionError):
            return None
    if arguments is None:
        return {}
    if not isinstance(arguments, dict) or _is_nested(arguments):
        return None
    return arguments


def _is_nested(value: Any, depth: int = 0) -> bool:
    """Whether it is nested deeper than arguments can be."""
    if not isinstance(value, dict | list):
        return False
    inner = value.values() if isinstance(value, dict) else value
    return depth >= _DEEPEST or any(_is_nested(one, depth + 1) for one in inner)


def _result_of(context: ToolContext, name: str, values: dict[str, Any] | None) -> ToolResult:
    tool = TOOLS.get(name)
    if tool is None:
        known = find_by_name(
            name.replace("_", " "), [(one.replace("_", " "), one) for one in TOOLS]
        )
        data = {"tools": list(TOOLS), "did_you_mean": list(known.found[:1])}
        return ToolResult(say(context.language, "unknown_tool"), "unknown_tool", data)
    if not tool.is_allowed(context):
        missing = next(scope for scope in tool.scopes if not context.has_scope(scope))
        sentence = say(context.language, "insufficient_scope")
        return ToolResult(sentence, "insufficient_scope", {"required_scope": missing})
    if values is None:
        return error_result(context, "failed")
    try:
        return _run(context, tool, values)
    except ToolError as error:
        return error.result
    except DomainError as error:
        return _explain(context, error)
    except OUTAGES as error:
        logger.warning("The database is away or busy during a tool call", exc_info=error)
        return error_result(context, Unavailable.code)
    except (DataError, OverflowError, UnicodeError) as error:
        logger.warning("A value of a tool call reached the database", exc_info=error)
        return error_result(context, "failed")
    except Exception:
        logger.exception("The tool %s failed", tool.name)
        return error_result(context, "failed")


def _explain(context: ToolContext, error: DomainError) -> ToolResult:
    """An error of an operation, in the words of the catalogue."""
    if isinstance(error, InProgress):
        return error_result(context, Unavailable.code)
    result = error_result(context, error.code)
    return ToolResult(result.say, error.code, {"message": error.message})


def _run(context: ToolContext, tool: Tool, values: Mapping[str, Any]) -> ToolResult:
    arguments = Arguments(context, values)
    if tool.read_only:
        return tool.run(context, arguments)
    for repeat in range(_MOST_REPEATS):
        record = _acquire(context, tool, values, repeat)
        if record.answer is None:
            return _run_once(context, tool, arguments, record)
        known = _StoredResult.read(record.answer)
        # The same arguments in the same call without an id of their own: a retry while the first
        # result is current, a new request once it is not (booked, cancelled, booked again).
        if context.tool_call_id or known.is_current(context, arguments):
            return known.result
    return error_result(context, "failed")


def _run_once(
    context: ToolContext, tool: Tool, arguments: Arguments, record: IdempotencyRecord
) -> ToolResult:
    try:
        with write_transaction():
            result = tool.run(context, arguments)
            store_response(record, status=200, answer=_StoredResult(result).write())
    except BaseException:
        release(record)
        raise
    return result


def _acquire(
    context: ToolContext, tool: Tool, values: Mapping[str, Any], repeat: int
) -> IdempotencyRecord:
    """The idempotency record of this tool call. Raises InProgress."""
    text = json.dumps(values, sort_keys=True, default=str)
    # Most MCP clients send no id at all: then the caller's number and the arguments identify it.
    ids = (context.source, context.provider_call_id, context.tool_call_id, context.caller_phone)
    parts = (*ids, tool.name, text)
    digest = hashlib.sha256("\x1f".join((*parts, str(repeat))).encode(errors="replace")).hexdigest()
    deadline = time.monotonic() + _WAIT_SECONDS
    while True:
        try:
            return acquire(
                business=context.business,
                key=f"tool:{digest}",
                fingerprint=digest,
                scopes=(),
                now=context.now,
            )
        except InProgress:
            if time.monotonic() > deadline:
                raise
            time.sleep(_POLL_SECONDS)


@dataclass(frozen=True, slots=True)
class _StoredResult:
    """A result as it is stored for retries."""

    result: ToolResult

    def write(self) -> str:
        result = self.result
        return json.dumps(
            {"say": result.say, "data": dict(result.data), "customer_id": result.customer_id}
        )

    @classmethod
    def read(cls, text: str) -> _StoredResult:
        stored = json.loads(text)
        return cls(ToolResult(stored["say"], OK, stored["data"], stored["customer_id"]))

    def is_current(self, context: ToolContext, arguments: Arguments) -> bool:
        """Whether what the call did is still so, and is what `arguments` ask for."""
        if shown := self.result.data.get("appointment"):
            return self._is_appointment_current(shown, context, arguments)
        if hold_id := self.result.data.get("hold_id"):
            holds = Hold.objects.for_business(context.business).live(context.now)
            return holds.filter(pk=hold_id).exists()
        return True

    def _is_appointment_current(
        self, shown: Mapping[str, Any], context: ToolContext, arguments: Arguments
    ) -> bool:
        appointments = Appointment.objects.for_business(context.business)
        # "Cancel it", after another one has been booked.
        if shown["status"] == AppointmentStatus.CANCELLED and not arguments.text("appointment_id"):
            theirs = appointments.filter(customer_id=self.result.customer_id)
            coming = theirs.filter(status=AppointmentStatus.SCHEDULED, end_time__gt=context.now)
            if coming.exists():
                return False
        is_so = {"pk": shown["id"], "status": shown["status"]}
        if confirmation := self.result.data.get("confirmation"):
            is_so["confirmation"] = confirmation
        if party_size := shown.get("party_size"):
            is_so["party_size"] = party_size
        start = datetime.fromisoformat(shown["start_utc"])
        return appointments.filter(start_time=start, **is_so).exists()
