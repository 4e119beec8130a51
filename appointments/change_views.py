"""What the API views of appointments, series and visits have in common."""

from __future__ import annotations

from typing import Any

from rest_framework.serializers import ValidationError

from kaivox.api.serializers import WriteSerializer
from kaivox.api.viewsets import ReadViewSet
from kaivox.businesses.auth.scopes import OVERRIDE_SCOPE


class ChangeViewSet(ReadViewSet):
    """A resource of appointments, which are moved and cancelled."""

    scope = "appointments"

    def overrides_window(self) -> bool:
        """Whether the caller may cancel and move after the windows of services."""
        caller: Any = self.request.auth
        return bool(caller.has_scope(OVERRIDE_SCOPE))

    def cancellation(self, body: type[WriteSerializer]) -> dict[str, Any]:
        """The arguments of a cancellation, from the query and the body."""
        sent = self.body(body)
        if both := sorted(sent.keys() & self.query.keys()):
            message = "Send it in the query or in the body, not in both."
            raise ValidationError({name: [message] for name in both})
        return {**self.query, **sent, "overrides_window": self.overrides_window()}
