"""Events: the model of each type of event."""

from __future__ import annotations

from api_document import Document

from generator.models import Models
from generator.python_source import HEADER


def events_source(document: Document, models: Models) -> str:
    by_type: dict[str, str] = {}
    for kind, item in document.content["webhooks"].items():
        body = item["post"]["requestBody"]["content"]["application/json"]["schema"]
        by_type[kind] = models.of_reference(body["$ref"])
    names = sorted(by_type.values())
    lines = [
        HEADER,
        "from collections.abc import Mapping",
        "from typing import Any, Final",
        "",
        f"from kaivox._generated.models import Event, {', '.join(names)}",
        "",
        f"__all__ = {['Event', 'WebhookEvent', 'event_of', *names]!r}",
        "",
        f"WebhookEvent = {' | '.join(names)} | Event",
        '"""Any event; `Event` itself where this version does not know its type."""',
        "",
        "_BY_TYPE: Final[Mapping[str, type[WebhookEvent]]] = {",
        *(f'    "{kind}": {name},' for kind, name in by_type.items()),
        "}",
        "",
        "def event_of(body: dict[str, Any]) -> WebhookEvent:",
        '    """The body of an event as the model of its type."""',
        '    return _BY_TYPE.get(str(body.get("type")), Event)(body)',
    ]
    return "\n".join(lines)
