"""The OpenAPI document as a Postman collection (format 2.1.0) that runs from top to bottom.

Requests are chained: what one creates or finds, the next ones use through collection variables. A
request whose variable is not set is skipped, so a DELETE reaches only what the collection created.

The scripts hold only what Bruno's import translates: no `pm.variables`, no `pm.response.to`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

Schema = dict[str, Any]

_FORMAT: Final = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json"
_NOTE: Final = (
    "Set `apiKey` and run the collection from top to bottom. On the Starter plan leave 2.1 s between "
    "requests (30 a minute). `engineSecret` is the secret of your voice account of the provider "
    "kaivox; without it the signed request is skipped. `webhookUrl` receives a test event."
)
_FOLDERS: Final = (
    "index", "business", "services", "staff", "closures", "calendars", "resources", "customers",
    "appointments", "series", "visits", "voice", "calls", "webhooks",
)  # fmt: skip
# Within a folder, by `operationId`: what creates before what uses. Others come between, in the
# document's order.
_FIRST: Final = (
    "create_customer", "list_slots", "create_hold", "list_holds", "get_hold", "update_hold", "delete_hold",
    "create_appointment", "preview_series", "create_series", "list_visit_slots", "create_visit",
    "create_closure", "create_resource", "create_service", "create_staff", "create_webhook", "test_webhook",
)  # fmt: skip
_LAST: Final = (
    "set_appointment_status", "delete_appointment", "delete_series", "delete_visit", "delete_closure",
    "delete_resource", "delete_webhook",
)  # fmt: skip

# By `operationId`: variables, and where `data` of the response, here `found`, has them.
_SAVES: Final[Mapping[str, Mapping[str, str]]] = {
    "get_business": {"businessSlug": "found.slug"},
    "list_services": {"serviceId": "found.find((one) => one.staff_ids.length)?.id"},
    "list_staff": {"staffId": "found[0]?.id"},
    "list_slots": {
        "slotStart": "found[0]?.start_time",
        "slotStaffId": "found[0]?.staff[0].id",
        # With the member of staff of the first, who stays the same in a move.
        "laterStart": "found.filter((one) => one.staff.some("
        "(person) => person.id === found[0].staff[0].id)).pop()?.start_time",
        "seriesStart": "found[Math.floor(found.length / 2)]?.start_time",
    },
    "create_customer": {"customerId": "found.id"},
    "create_hold": {"holdId": "found.id"},
    "create_appointment": {"appointmentId": "found.id"},
    "create_series": {"seriesId": "found.id"},
    "list_visit_slots": {"visitStart": "found[0]?.start_time"},
    "create_visit": {"visitId": "found.id"},
    "notify_call": {"callId": "found.call_id"},
    "list_calls": {"callId": "found[0]?.id"},
    "create_calendar": {"calendarId": "found.id"},
    "create_closure": {"closureId": "found.id"},
    "create_resource": {"resourceId": "found.id"},
    "create_waitlist": {"waitlistId": "found.id"},
    "create_service": {"newServiceId": "found.id"},
    "create_staff": {"newStaffId": "found.id"},
    "create_webhook": {"webhookId": "found.id"},
    "list_events": {"eventId": "found[0]?.id"},
    "test_webhook": {"deliveryId": "found.id"},
}
_CHAINED: Final = frozenset(name for saved in _SAVES.values() for name in saved)
# By `operationId` and field: variables in the place of the example's values.
_FIELDS: Final[Mapping[str, Mapping[str, str]]] = {
    "create_customer": {"phone": "phone", "email": "email"},
    "create_appointment": {
        "customer_id": "customerId",
        "service_id": "serviceId",
        "staff_id": "slotStaffId",
    },
    "create_hold": {"service_id": "serviceId"},
    "create_calendar": {"staff_id": "staffId"},
    "preview_series": {"customer_id": "customerId", "service_id": "serviceId"},
    "create_series": {"customer_id": "customerId", "service_id": "serviceId"},
    "create_visit": {"customer_id": "customerId"},
    "create_waitlist": {"customer_id": "customerId", "service_id": "serviceId"},
    "create_webhook": {"url": "webhookUrl"},
}
_STARTS: Final = {
    "create_appointment": "slotStart",
    "create_hold": "slotStart",
    "update_appointment": "laterStart",
    "preview_series": "seriesStart",
    "create_series": "seriesStart",
    "update_series": "seriesStart",
    "create_visit": "visitStart",
    "update_visit": "visitStart",
}
# By `operationId`: values that are not the example's. A longer series may have clashes in the demo.
_VALUES: Final[Mapping[str, Mapping[str, Any]]] = {
    "create_series": {"count": 1},
    "create_waitlist": {"date_from": "{{dateFrom}}"},
    "create_visit": {"services": [{"service_id": "{{serviceId}}"}]},
}
_QUERY: Final = {
    "service_id": "serviceId",
    "service_ids": "serviceId",
    "date_from": "dateFrom",
    "date_to": "dateTo",
}
_PATH: Final = {
    "appointments": "appointmentId",
    "calls": "callId",
    "calendars": "calendarId",
    "closures": "closureId",
    "customers": "customerId",
    "deliveries": "deliveryId",
    "events": "eventId",
    "holds": "holdId",
    "series": "seriesId",
    "visits": "visitId",
    "kaivox": "businessSlug",
    "resources": "resourceId",
    "services": "serviceId",
    "staff": "staffId",
    "waitlist": "waitlistId",
    "webhooks": "webhookId",
}
# By `operationId`: only what the collection itself has added is changed.
_CHANGED: Final = {"update_service": "newServiceId", "update_staff": "newStaffId"}
_NUMBERS: Final = frozenset({"customerId", "serviceId", "slotStaffId", "staffId"})
_SIGNATURE: Final = "X-KaiVox-Signature"

# Runs before each request.
_PREPARE: Final = """
const day = (days) => new Date(Date.now() + days * 86400000).toISOString().slice(0, 10);
pm.collectionVariables.set("dateFrom", day(1));
pm.collectionVariables.set("dateTo", day(14));
"""
# By `operationId`. A new person in each run: the same phone again would be 409.
_BEFORE: Final[Mapping[str, str]] = {
    "create_customer": """
const digits = String(Math.floor(1e7 + Math.random() * 9e7));
pm.collectionVariables.set("phone", `+9198${digits}`);
pm.collectionVariables.set("email", `asha.${digits}@example.com`);
""",
}
# In Bruno the body is the parsed object, and is sent as it is written below: with two spaces.
_SIGN: Final = """
const secret = pm.collectionVariables.get("engineSecret") || pm.environment.get("engineSecret");
if (!secret) {
  pm.execution.skipRequest();
} else {
  const time = Math.floor(Date.now() / 1000);
  const body = pm.request.body;
  const signed = `${time}.${body.raw ?? JSON.stringify(body, null, 2)}`;
  const mac = require("crypto-js").HmacSHA256(signed, secret).toString();
  pm.request.headers.upsert({ key: "X-KaiVox-Signature", value: `t=${time},v1=${mac}` });
}
"""


def collection_of(document: Schema) -> Schema:
    """One folder a tag, one request an operation."""
    folders: dict[str, list[Schema]] = {}
    operations = [
        (method, path, operation)
        for path, item in document["paths"].items()
        for method, operation in item.items()
    ]
    for method, path, operation in sorted(operations, key=lambda one: _rank(one[2])):
        tag = operation["tags"][0]
        folders.setdefault(tag, []).append(_request(document, method, path, operation))
    return {
        "info": {
            "name": document["info"]["title"],
            "description": f"{document['info'].get('description', '')}\n\n{_NOTE}",
            "schema": _FORMAT,
        },
        "auth": {
            "type": "apikey",
            "apikey": [
                {"key": "key", "value": "X-API-Key", "type": "string"},
                {"key": "value", "value": "{{apiKey}}", "type": "string"},
                {"key": "in", "value": "header", "type": "string"},
            ],
        },
        "event": [_event("prerequest", _PREPARE)],
        "variable": [
            {"key": "baseUrl", "value": document["servers"][0]["url"]},
            {"key": "apiKey", "value": ""},
            {"key": "engineSecret", "value": ""},
            {"key": "webhookUrl", "value": "https://example.com/kaivox"},
        ],
        "item": [{"name": tag, "item": requests} for tag, requests in folders.items()],
    }


def _rank(operation: Schema) -> tuple[int, int]:
    tag, name = operation["tags"][0], operation["operationId"]
    folder = _FOLDERS.index(tag) if tag in _FOLDERS else len(_FOLDERS)
    if name in _FIRST:
        return folder, _FIRST.index(name) - len(_FIRST)
    return folder, _LAST.index(name) + 1 if name in _LAST else 0


def _request(document: Schema, method: str, path: str, operation: Schema) -> Schema:
    name = operation["operationId"]
    parameters = [_resolve(document, item) for item in operation.get("parameters", ())]
    headers = [{"key": "Accept", "value": "application/json"}]
    url = _url(name, path, parameters)
    request: Schema = {
        "method": method.upper(),
        "description": operation.get("description", ""),
        "header": headers,
        "url": url,
    }
    body = ""
    if "requestBody" in operation:
        headers.append({"key": "Content-Type", "value": "application/json"})
        body = _body(name, operation["requestBody"]["content"]["application/json"]["example"])
        request["body"] = {"mode": "raw", "raw": body, "options": {"raw": {"language": "json"}}}
    headers += [
        _disabled(item)
        for item in parameters
        if item["in"] == "header" and item["name"] != _SIGNATURE
    ]
    needed = re.findall(r"\{\{(\w+)\}\}", body + url["raw"] + json.dumps(url["variable"]))
    before = [_BEFORE[name]] if name in _BEFORE else []
    if chained := sorted(set(needed) & _CHAINED):
        before.append(_skip_without(chained))
    if any(item["name"] == _SIGNATURE for item in parameters):
        before.append(_SIGN)
    events = [_event("prerequest", "\n".join(before))] if before else []
    events.append(_event("test", _test(operation)))
    title = operation.get("summary") or name
    return {"name": title, "event": events, "request": request}


def _event(listen: str, script: str) -> Schema:
    lines = script.strip().splitlines()
    return {"listen": listen, "script": {"type": "text/javascript", "exec": lines}}


def _skip_without(names: list[str]) -> str:
    return (
        f"const needed = {json.dumps(names)};\n"
        "if (!needed.every((name) => pm.collectionVariables.get(name))) pm.execution.skipRequest();"
    )


def _test(operation: Schema) -> str:
    name = operation["operationId"]
    lines = ['pm.test("succeeds", () => pm.expect(pm.response.code).to.be.within(200, 299));']
    if "204" not in operation["responses"]:
        envelope = "pm.expect(pm.response.json().success).to.equal(true)"
        lines.append(f'pm.test("has the envelope of a success", () => {envelope});')
    if name in _SAVES:
        lines.append("const found = pm.response.json().data;")
    for variable, expression in _SAVES.get(name, {}).items():
        lines.append(f'pm.collectionVariables.set("{variable}", {expression});')
    return "\n".join(lines)


def _body(name: str, example: Mapping[str, Any]) -> str:
    """The body as text: the document's example, with variables of the chain in it."""
    fields = {**example, **_VALUES.get(name, {})}
    if name in _STARTS:
        for local in ("appointment_date", "appointment_time"):
            fields.pop(local, None)
        fields["start_time"] = f"{{{{{_STARTS[name]}}}}}"
    for field, variable in _FIELDS.get(name, {}).items():
        fields[field] = f"{{{{{variable}}}}}"
    text = json.dumps(fields, indent=2, ensure_ascii=False)
    for variable in _NUMBERS:
        text = text.replace(f'"{{{{{variable}}}}}"', f"{{{{{variable}}}}}")
    return text


def _url(name: str, path: str, parameters: list[Schema]) -> Schema:
    colons = re.sub(r"\{(\w+)\}", r":\1", path)
    query = [_disabled(item) for item in parameters if item["in"] == "query"]
    if path.endswith("/slots"):
        for item in query:
            item["disabled"] = item["key"] not in _QUERY
    raw = "{{baseUrl}}" + colons
    if enabled := [f"{item['key']}={item['value']}" for item in query if not item["disabled"]]:
        raw += "?" + "&".join(enabled)
    before = path.partition("/{")[0].rpartition("/")[2]
    variable = _CHANGED.get(name) or _PATH.get(before, "id")
    return {
        "raw": raw,
        "host": ["{{baseUrl}}"],
        "path": colons.strip("/").split("/"),
        "query": query,
        "variable": [
            {
                "key": item["name"],
                "value": f"{{{{{variable}}}}}",
                "description": item.get("description", ""),
            }
            for item in parameters
            if item["in"] == "path"
        ],
    }


def _disabled(item: Schema) -> Schema:
    """A parameter that can be switched on; required ones are on."""
    name = item["name"]
    value = f"{{{{{_QUERY[name]}}}}}" if name in _QUERY else str(_value(item["schema"]))
    return {
        "key": name,
        "value": "{{$guid}}" if name == "Idempotency-Key" else value,
        "description": item.get("description", ""),
        "disabled": not item.get("required", False),
    }


def _value(schema: Mapping[str, Any]) -> Any:
    for source in _known_values(schema):
        return source
    kind = schema.get("type", "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "array":
        return [_value(schema.get("items", {}))]
    plain = {"integer": schema.get("minimum", 1), "number": 1, "boolean": True, "object": {}}
    return plain.get(kind, "")


def _known_values(schema: Mapping[str, Any]) -> Iterator[Any]:
    yield from schema.get("examples", ())
    if schema.get("default") is not None:
        yield schema["default"]
    yield from (value for value in schema.get("enum", ()) if value is not None)
    yield from (_value(option) for key in ("oneOf", "anyOf") for option in schema.get(key, ()))


def _resolve(document: Schema, part: Schema) -> Schema:
    while "$ref" in part:
        found: Any = document
        for step in part["$ref"].removeprefix("#/").split("/"):
            found = found[step]
        part = found
    return part
