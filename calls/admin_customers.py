"""Export and erasure on a customer's admin page, which need the calls."""

from __future__ import annotations

import json
from typing import Any, Final

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from calls import privacy
from kaivox.admin.base import person
from kaivox.admin.object_actions import ObjectAction

Values = dict[str, Any]


def _erase(request: HttpRequest, customer: Any, values: Values) -> str:
    privacy.erase_customer(
        business=customer.business,
        customer_id=customer.pk,
        now=timezone.now(),
        actor=person(request),
    )
    return "Name, phone, e-mail, notes and transcripts are erased; the counts stay."


def _export(request: HttpRequest, customer: Any, values: Values) -> HttpResponse:
    found = privacy.export_customer(
        business=customer.business,
        customer_id=customer.pk,
        now=timezone.now(),
        actor=person(request),
    )
    body = json.dumps(found, ensure_ascii=False, indent=2)
    name = f'attachment; filename="customer-{customer.pk}.json"'
    headers = {"Content-Disposition": name, "Cache-Control": "no-store"}
    return HttpResponse(body, content_type="application/json", headers=headers)


class ErasingForm(forms.Form):
    sure = forms.BooleanField(label="I know that this cannot be undone.")


CUSTOMER_ACTIONS: Final = (
    ObjectAction(
        "export",
        "Export",
        "Everything stored about this person, as a JSON file.",
        _export,
    ),
    ObjectAction(
        "erase",
        "Erase",
        "Removes name, phone, e-mail, notes and transcripts of this person everywhere, the webhook "
        "log included. Appointments, calls and their figures stay.",
        _erase,
        form=ErasingForm,
        is_offered=lambda customer: not customer.is_erased,
    ),
)
