"""Discovery: `/.well-known/api-catalog` (RFC 9727), and `SKILL.md` for assistants."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

# agentskills.io: a folder with this file is what an assistant loads.
_SKILL: Final = Path(__file__).with_name("skill") / "SKILL.md"


@require_safe
def skill(request: HttpRequest) -> HttpResponse:
    """How an assistant books here, with this server's addresses."""
    text = _SKILL.read_text(encoding="utf-8").replace("$KAIVOX_URL", settings.PUBLIC_URL)
    return HttpResponse(text, content_type="text/markdown; charset=utf-8")


@require_safe
def api_catalog(request: HttpRequest) -> HttpResponse:
    """A linkset (RFC 9264) of the HTTP API and the MCP server."""
    base = settings.PUBLIC_URL
    api = {
        "anchor": f"{base}/api/v1/",
        "service-desc": [
            {"href": f"{base}/api/schema?format=json", "type": "application/vnd.oai.openapi+json"}
        ],
        "service-doc": [
            {"href": f"{base}/docs", "type": "text/html"},
            {"href": f"{base}/llms.txt", "type": "text/plain"},
            {"href": f"{base}/llms-full.txt", "type": "text/plain"},
        ],
        "status": [{"href": f"{base}/readyz", "type": "application/json"}],
    }
    mcp = {
        "anchor": f"{base}/mcp",
        "service-doc": [
            {"href": f"{base}/docs/agents", "type": "text/html"},
            {"href": f"{base}/SKILL.md", "type": "text/markdown"},
        ],
    }
    profile = 'application/linkset+json; profile="https://www.rfc-editor.org/info/rfc9727"'
    response = JsonResponse({"linkset": [api, mcp]}, content_type=profile)
    response["Link"] = f'<{base}/.well-known/api-catalog>; rel="api-catalog"'
    return response
