"""The shapes of a customer: shown, created, changed."""

from __future__ import annotations

from django.core.validators import validate_email
from rest_framework import serializers

from customers.models import Customer, PipelineStage, Segment
from customers.phones import MAX_LENGTH as MAX_PHONE
from kaivox.api.fields import InstantField, MetadataField, TextField
from kaivox.api.serializers import ReadSerializer, WriteSerializer, reads

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
    last_visit_at = InstantField(allow_null=True, help_text="Start of the last completed one.")
    created_at = InstantField()
    updated_at = InstantField()

    @staticmethod
    @reads("phone")
    def get_phone(customer: Customer) -> str | None:
        return customer.phone or None

    @staticmethod
    @reads("email")
    def get_email(customer: Customer) -> str | None:
        return customer.email or None


class CustomerPatch(WriteSerializer):
    """What can be changed of a customer. `null` takes a phone or an e-mail away; one must stay."""

    name = TextField(max_length=200, required=False)
    phone = TextField(
        max_length=MAX_PHONE, required=False, allow_null=True, allow_blank=True, help_text=_PHONE_IN
    )
    email = TextField(
        max_length=254,
        validators=[validate_email],
        required=False,
        allow_null=True,
        allow_blank=True,
        help_text="Compared without case, kept as written.",
    )
    segment = serializers.ChoiceField(
        choices=Segment.choices,
        required=False,
        help_text="Kept until the customer books again; then the rules decide.",
    )
    pipeline_stage = serializers.ChoiceField(choices=PipelineStage.choices, required=False)
    source = TextField(max_length=40, required=False)  # type: ignore[assignment]
    notes = TextField(max_length=5000, required=False, allow_blank=True)
    metadata = MetadataField(required=False)


class NewCustomer(CustomerPatch):
    """A new customer: `name`, and at least one of `phone` and `email`."""

    name = TextField(max_length=200)
