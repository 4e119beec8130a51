"""What the API views of series and visits have in common."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from rest_framework.serializers import ValidationError

from appointments.groups.operations import AppointmentDetails
from kaivox.api.encoders import encode
from kaivox.api.etags import make_etag, parse_etags
from kaivox.api.serializers import WriteSerializer
from kaivox.api.viewsets import ReadViewSet
from kaivox.businesses.auth.scopes import OVERRIDE_SCOPE
from kaivox.errors import PreconditionFailed


class GroupViewSet(ReadViewSet):
    """A resource that shows appointments, which `GroupSerializer.load_related` has read."""

    scope = "appointments"

    def seen_versions(self, row: Any) -> dict[int, datetime] | None:
        """What the operation compares under its locks: the `updated_at` of each appointment that the
        caller has seen, or None where the caller does not care. Raises PreconditionFailed."""
        wanted = self.request.META.get("HTTP_IF_MATCH", "").strip()
        if not wanted or wanted == "*":
            return None
        if make_etag(encode(self.render(row))) not in parse_etags(wanted):
            raise PreconditionFailed
        return {one.pk: one.updated_at for one in row.shown_appointments}

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
        values = {**self.query, **sent, "overrides_window": self.overrides_window()}
        if "call_id" in values:
            values["call"] = values.pop("call_id")
        return values


def details_of(values: Mapping[str, Any]) -> AppointmentDetails:
    """Of the validated body of a booking, what every appointment gets."""
    return AppointmentDetails(
        customer=values["customer"],
        source=values.get("source", "api"),
        notes=values.get("notes", ""),
        metadata=values.get("metadata") or {},
        call=values.get("call_id"),
    )
