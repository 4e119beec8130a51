"""OpenAPI of `POST /voice/kaivox/{slug}`, which has neither key nor quota nor pages."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rest_framework import serializers

from calls.models import ProviderMessage
from calls.providers.kaivox import EngineCall
from kaivox.api.openapi.auto_schema import EnvelopeSchema
from kaivox.api.openapi.components import Schema


class MessageReceipt(serializers.Serializer[Any]):
    """The result of ingesting a message."""

    state = serializers.ChoiceField(choices=ProviderMessage.State.choices)
    call_id = serializers.IntegerField(allow_null=True, help_text="The call's id in this API.")
    error = serializers.CharField(help_text="Why it cannot be read; it is stored all the same.")


class EngineSchema(EnvelopeSchema):
    def is_excluded(self) -> bool:
        return False

    def get_operation_id(self) -> str:
        return "notify_call"

    def get_summary(self) -> str:
        return "Report a call"

    def get_tags(self) -> list[str]:
        return ["voice"]

    def map_parsers(self) -> list[str]:
        return ["application/json"]

    def get_request_serializer(self) -> Any:
        return EngineCall

    def get_response_serializers(self) -> Any:
        return {200: MessageReceipt}

    def _resolve_path_parameters(self, variables: Iterable[str]) -> list[Schema]:
        text = "The slug of the business."
        slug = {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$", "maxLength": 60}
        return [
            {"name": "slug", "in": "path", "required": True, "schema": slug, "description": text}
        ]

    def _header_parameters(self) -> list[Schema]:
        text = (
            "`t=<Unix seconds>,v1=<hex>`: HMAC-SHA256 with the account's secret over `<t>.<body>`."
        )
        schema = {"type": "string"}
        return [
            {
                "name": "X-KaiVox-Signature",
                "in": "header",
                "required": True,
                "schema": schema,
                "description": f"{text} The trio of Standard Webhooks does as well.",
            }
        ]

    def _header_names(self, status_code: str) -> list[str]:
        return ["X-Request-ID"]

    def _error_answers(self) -> dict[str, Schema]:
        return {
            str(status): {"$ref": f"#/components/responses/Error{status}"}
            for status in (400, 401, 411, 413, 422, 429, 500, 503)
        }
