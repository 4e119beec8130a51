"""The tables of 0001 to 0007 in one step, for new databases: with the steps the first start took 4 s
longer. A database that has run all of them, or some, does not run this one, but the rest of them."""

from decimal import Decimal

import django.db.models.deletion
import django.db.models.functions.text
from django.db import migrations, models

import kaivox.db.folded_text
from kaivox.db.migrations import on_postgresql


class Migration(migrations.Migration):
    replaces = [
        ("customers", "0001_initial"),
        ("customers", "0002_postgres_indexes"),
        ("customers", "0003_one_spelling_of_argentine_numbers"),
        ("customers", "0004_folded_columns"),
        ("customers", "0005_fill_folded_columns"),
        ("customers", "0006_no_index_of_business_alone"),
        ("customers", "0007_sentence_case_labels"),
    ]

    initial = True

    dependencies = [
        ("businesses", "0001_squashed_0012_labels"),
    ]

    operations = [
        on_postgresql("CREATE EXTENSION IF NOT EXISTS pg_trgm"),
        migrations.CreateModel(
            name="Customer",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "business",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="businesses.business",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(max_length=200)),
                (
                    "phone",
                    models.CharField(
                        blank=True, help_text="E.164, like +919876543210.", max_length=16
                    ),
                ),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="e-mail")),
                (
                    "segment",
                    models.CharField(
                        choices=[
                            ("lead", "Lead"),
                            ("active", "Active"),
                            ("inactive", "Inactive"),
                            ("vip", "VIP"),
                        ],
                        default="lead",
                        max_length=8,
                    ),
                ),
                (
                    "segment_by_hand",
                    models.BooleanField(
                        default=False,
                        help_text="Set by a person: stays until the customer books again.",
                    ),
                ),
                (
                    "pipeline_stage",
                    models.CharField(
                        choices=[
                            ("new_lead", "New lead"),
                            ("contacted", "Contacted"),
                            ("appointment_set", "Appointment set"),
                            ("converted", "Converted"),
                            ("lost", "Lost"),
                        ],
                        default="new_lead",
                        max_length=15,
                    ),
                ),
                (
                    "source",
                    models.CharField(
                        default="api", help_text="Where they came from.", max_length=40
                    ),
                ),
                ("notes", models.TextField(blank=True)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                (
                    "total_appointments",
                    models.PositiveIntegerField(default=0, help_text="Not cancelled."),
                ),
                (
                    "total_spent",
                    models.DecimalField(
                        decimal_places=2,
                        default=Decimal("0"),
                        help_text="Price of completed ones.",
                        max_digits=12,
                    ),
                ),
                (
                    "last_visit_at",
                    models.DateTimeField(blank=True, help_text="Last completed one.", null=True),
                ),
                ("last_booked_at", models.DateTimeField(blank=True, null=True)),
                (
                    "last_scheduled_at",
                    models.DateTimeField(
                        blank=True,
                        editable=False,
                        help_text="Start of the last scheduled one.",
                        null=True,
                    ),
                ),
                ("erased_at", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "email_folded",
                    kaivox.db.folded_text.FoldedTextField(
                        blank=True,
                        db_default="",
                        default="",
                        editable=False,
                        fold=kaivox.db.folded_text.fold_case,
                        of=("email",),
                    ),
                ),
                (
                    "search_text",
                    kaivox.db.folded_text.FoldedTextField(
                        blank=True,
                        db_default="",
                        default="",
                        editable=False,
                        fold=kaivox.db.folded_text.fold_for_search,
                        of=("name", "phone", "email"),
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["business", "created_at", "id"], name="customer_created"),
                    models.Index(fields=["business", "updated_at", "id"], name="customer_updated"),
                    models.Index(fields=["business", "name", "id"], name="customer_name"),
                    models.Index(
                        fields=["business", "segment", "created_at", "id"], name="customer_segment"
                    ),
                    models.Index(fields=["business", "email_folded"], name="customer_email_folded"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        models.F("business"),
                        models.F("phone"),
                        condition=models.Q(("phone", ""), _negated=True),
                        name="customer_phone_once",
                        violation_error_message="There is a customer with this phone number already.",
                    ),
                    models.UniqueConstraint(
                        models.F("business"),
                        django.db.models.functions.text.Upper("email"),
                        condition=models.Q(("phone", ""), models.Q(("email", ""), _negated=True)),
                        name="customer_email_once",
                        violation_error_message="There is a customer with this e-mail address already.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("phone", ""), _negated=True),
                            models.Q(("email", ""), _negated=True),
                            ("erased_at__isnull", False),
                            _connector="OR",
                        ),
                        name="customer_is_reachable",
                        violation_error_message="Give a phone number or an e-mail address.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("segment__in", ["lead", "active", "inactive", "vip"])),
                        name="customer_segment_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            (
                                "pipeline_stage__in",
                                ["new_lead", "contacted", "appointment_set", "converted", "lost"],
                            )
                        ),
                        name="customer_stage_known",
                    ),
                ],
            },
        ),
        on_postgresql(
            "CREATE INDEX customer_search_text ON customers_customer USING gin (search_text gin_trgm_ops)",
            "CREATE INDEX customer_last_visit ON customers_customer"
            " (business_id, last_visit_at DESC NULLS LAST, id DESC)",
        ),
    ]
