"""Customers: the people who call, book and visit."""

from __future__ import annotations

from decimal import Decimal
from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Upper

from kaivox.businesses.models import BusinessOwned, BusinessQuerySet
from kaivox.db.change_counters import count_changes
from kaivox.db.folded_text import FoldedTextField, fold_case, fold_for_search


class Segment(models.TextChoices):
    LEAD = "lead"
    ACTIVE = "active"
    INACTIVE = "inactive"
    VIP = "vip", "VIP"


class PipelineStage(models.TextChoices):
    NEW_LEAD = "new_lead", "New lead"
    CONTACTED = "contacted"
    APPOINTMENT_SET = "appointment_set", "Appointment set"
    CONVERTED = "converted"
    LOST = "lost"


class CustomerQuerySet(BusinessQuerySet):
    def with_phone(self, phone: str) -> Self:
        """The customer whose number is `phone` (E.164)."""
        return self.filter(phone=phone)

    def with_email(self, email: str) -> Self:
        """Customers with this e-mail address, compared without case in every script."""
        return self.filter(email_folded=fold_case(email))


@count_changes
class Customer(BusinessOwned):
    """One person, identified within a business by phone, or by e-mail where there is no phone.

    `appointments` stores the booking statistics here, in the transaction of each change, so that
    lists need no joins.
    """

    name = models.CharField(max_length=200)
    phone = models.CharField(max_length=16, blank=True, help_text="E.164, like +919876543210.")
    email = models.EmailField("e-mail", blank=True)
    segment = models.CharField(max_length=8, choices=Segment, default=Segment.LEAD)
    segment_by_hand = models.BooleanField(
        default=False, help_text="Set by a person: stays until the customer books again."
    )
    pipeline_stage = models.CharField(
        max_length=15, choices=PipelineStage, default=PipelineStage.NEW_LEAD
    )
    source = models.CharField(max_length=40, default="api", help_text="Where they came from.")
    notes = models.TextField(blank=True)
    metadata = models.JSONField(default=dict, blank=True)

    total_appointments = models.PositiveIntegerField(default=0, help_text="Not cancelled.")
    total_spent = models.DecimalField(
        max_digits=12, decimal_places=2, default=Decimal(0), help_text="Price of completed ones."
    )
    last_visit_at = models.DateTimeField(null=True, blank=True, help_text="Last completed one.")
    last_booked_at = models.DateTimeField(null=True, blank=True)
    last_scheduled_at = models.DateTimeField(
        null=True, blank=True, editable=False, help_text="Start of the last scheduled one."
    )
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)

    email_folded = FoldedTextField(of=("email",), fold=fold_case)
    search_text = FoldedTextField(of=("name", "phone", "email"), fold=fold_for_search)

    objects = CustomerQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                "business",
                "phone",
                condition=~Q(phone=""),
                name="customer_phone_once",
                violation_error_message="There is a customer with this phone number already.",
            ),
            models.UniqueConstraint(
                "business",
                Upper("email"),
                condition=Q(phone="") & ~Q(email=""),
                name="customer_email_once",
                violation_error_message="There is a customer with this e-mail address already.",
            ),
            models.CheckConstraint(
                name="customer_is_reachable",
                condition=~Q(phone="") | ~Q(email="") | Q(erased_at__isnull=False),
                violation_error_message="Give a phone number or an e-mail address.",
            ),
            models.CheckConstraint(
                name="customer_segment_known", condition=Q(segment__in=Segment.values)
            ),
            models.CheckConstraint(
                name="customer_stage_known", condition=Q(pipeline_stage__in=PipelineStage.values)
            ),
        ]
        indexes = [
            models.Index(fields=["business", "created_at", "id"], name="customer_created"),
            models.Index(fields=["business", "updated_at", "id"], name="customer_updated"),
            models.Index(fields=["business", "name", "id"], name="customer_name"),
            models.Index(
                fields=["business", "segment", "created_at", "id"], name="customer_segment"
            ),
            models.Index(fields=["business", "email_folded"], name="customer_email_folded"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_erased(self) -> bool:
        return self.erased_at is not None
