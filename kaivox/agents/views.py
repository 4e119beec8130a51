from __future__ import annotations

from typing import Any, ClassVar

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from kaivox.agents.definitions import PROVIDER_FORMATS, definitions
from kaivox.agents.tools import TOOLS
from kaivox.api.responses import EnvelopeResponse
from kaivox.api.serializers import QuerySerializer
from kaivox.api.views import ApiView


class ToolQuery(QuerySerializer):
    provider = serializers.ChoiceField(
        choices=list(PROVIDER_FORMATS), help_text="Whose format the definitions are in."
    )


class ToolDefinitions(ApiView):
    """The tools for AI agents, ready to paste at a voice provider or to give to a model."""

    query_serializers: ClassVar[dict[str, Any]] = {"get": ToolQuery}

    @extend_schema(
        operation_id="list_agent_tools",
        tags=["agents"],
        responses={200: {"type": "array", "items": {"type": "object"}}},
    )
    def get(self, request: Request) -> Response:
        """List the tools for AI agents in a provider's own format, with this server's addresses.

        Those that the key's scopes allow. Secrets are placeholders: fill in the secret of the
        provider's account.
        """
        caller: Any = request.auth
        allowed = [tool for tool in TOOLS.values() if all(map(caller.has_scope, tool.scopes))]
        return EnvelopeResponse(definitions(self.query["provider"], self.business, allowed))
