"""`/healthz`: this process is alive. `/readyz`: it can serve requests (200), or it cannot (503).

Only an unavailable database makes it 503. Every other component has a fallback, and a 503 would make a
load balancer remove all machines at once. Their state is in the response (docs/decisions/0090). The
middleware runs before the host check, because load balancers address machines by IP address.
"""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, JsonResponse

from kaivox import health


class HealthChecks:
    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if request.path_info in ("/healthz", "/healthz/"):
            return JsonResponse({"status": "ok"})
        if request.path_info in ("/readyz", "/readyz/"):
            return _readiness()
        return self.get_response(request)


def _readiness() -> HttpResponse:
    found = health.parts()
    ready = found["database"]
    degraded = "ok" if all(found.values()) else "degraded"
    return JsonResponse(
        {
            "status": degraded if ready else "unavailable",
            "parts": {name: "ok" if works else "unavailable" for name, works in found.items()},
        },
        status=200 if ready else 503,
    )
