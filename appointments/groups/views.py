"""What the API views of series and visits have in common, beside `appointments.change_views`."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from appointments.change_views import ChangeViewSet
from appointments.groups.operations import AppointmentDetails
from appointments.groups.serializers import call_renamed
from kaivox.api.encoders import encode
from kaivox.api.etags import make_etag, parse_etags
from kaivox.api.serializers import WriteSerializer
from kaivox.errors import PreconditionFailed


class GroupViewSet(ChangeViewSet):
    """A resource that shows appointments, which `GroupSerializer.load_related` has read."""

    def seen_versions(self, row: Any) -> dict[int, datetime] | None:
        """What the operation compares under its locks: the `updated_at` of each appointment that the
        caller has seen, or None where the caller does not care. Raises PreconditionFailed."""
        wanted = self.request.META.get("HTTP_IF_MATCH", "").strip()
        if not wanted or wanted == "*":
            return None
        if make_etag(encode(self.render(row))) not in parse_etags(wanted):
            raise PreconditionFailed
        return {one.pk: one.updated_at for one in row.shown_appointments}

    def cancellation(self, body: type[WriteSerializer]) -> dict[str, Any]:
        return call_renamed(super().cancellation(body))


def details_of(values: Mapping[str, Any]) -> AppointmentDetails:
    """Of the validated body of a booking, what every appointment gets."""
    return AppointmentDetails(
        customer=values["customer"],
        source=values.get("source", "api"),
        notes=values.get("notes", ""),
        metadata=values.get("metadata") or {},
        call=values.get("call_id"),
    )
