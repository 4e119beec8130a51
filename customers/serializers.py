"""Serializers of customers: the response, and the bodies of POST and PATCH."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.validators import validate_email
from rest_framework import serializers

from customers.models import Customer, PipelineStage, Segment
from customers.phones import MAX_LENGTH as MAX_PHONE
from kaivox.api.fields import MetadataField, NameField, StrictCharField, UtcDateTimeField
from kaivox.api.serializers import (
    QuerySerializer,
    ReadSerializer,
    WriteSerializer,
    depends_on,
)

_PHONE_IN = "With country code, or as dialled in the business's own country."


class CustomerSerializer(ReadSerializer):
    """A customer as the API and its events show it."""

    id = serializers.IntegerField()
    name = serializers.CharField()
    phone = serializers.SerializerMethodField(help_text="E.164, or null.")
    email = serializers.SerializerMethodField()
    segment = serializers.ChoiceField(choices=Segment.choices)
    pipeline_stage = serializers.ChoiceField(choices=PipelineStage.choices)
    source = serializers.CharField(  # type: ignore[assignment]
        help_text="Where the customer came from: api, voice, import…"
    )
    notes = serializers.CharField()
    metadata = MetadataField()
    total_appointments = serializers.IntegerField(help_text="Those that were not cancelled.")
    total_spent = serializers.DecimalField(
        max_digits=12, decimal_places=2, help_text="Prices of completed appointments."
    )
    last_visit_at = UtcDateTimeField(allow_null=True, help_text="Start of the last completed one.")
    created_at = UtcDateTimeField()
    updated_at = UtcDateTimeField()

    @staticmethod
    @depends_on("phone")
    def get_phone(customer: Customer) -> str | None:
        return customer.phone or None

    @staticmethod
    @depends_on("email")
    def get_email(customer: Customer) -> str | None:
        return customer.email or None


class CustomerPatch(WriteSerializer):
    """The fields of a customer that can be changed. `null` removes a phone or an e-mail; one of them must remain."""

    cleared: ClassVar[Mapping[str, Any]] = {
        "phone": None,
        "email": None,
        "source": "",
        "notes": "",
        "metadata": {},
    }

    name = NameField(max_length=200, required=False)
    phone = StrictCharField(
        max_length=MAX_PHONE, required=False, allow_null=True, allow_blank=True, help_text=_PHONE_IN
    )
    email = StrictCharField(
        max_length=254,
        validators=[validate_email],
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="An e-mail address. Compared without case, stored as written.",
    )
    segment = serializers.ChoiceField(
        choices=Segment.choices,
        required=False,
        help_text="Stays until the customer books again; then the rules apply.",
    )
    pipeline_stage = serializers.ChoiceField(choices=PipelineStage.choices, required=False)
    source = StrictCharField(  # type: ignore[assignment]
        max_length=40, required=False, allow_blank=True
    )
    notes = StrictCharField(max_length=5000, required=False, allow_blank=True)
    metadata = MetadataField(required=False)


class NewCustomer(CustomerPatch):
    """A new customer: `name`, and at least one of `phone` and `email`."""

    name = NameField(max_length=200)


class NewCustomerQuery(QuerySerializer):
    """The query of `POST /customers`."""

    on_existing = serializers.ChoiceField(
        choices=("error", "return"),
        required=False,
        help_text="What to do where the customer exists: 409, or 200 with that customer.",
    )
