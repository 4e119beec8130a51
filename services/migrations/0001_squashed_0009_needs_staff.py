"""The tables of 0001 to 0009 in one step, for new databases: with the steps the first start took 4 s
longer. A database that has run all of them, or some, does not run this one, but the rest of them."""

from decimal import Decimal

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import kaivox.db.folded_text
import services.models


class Migration(migrations.Migration):
    replaces = [
        ("services", "0001_initial"),
        ("services", "0002_help_text"),
        ("services", "0003_search_text"),
        ("services", "0004_fill_search_text"),
        ("services", "0005_no_index_of_business_alone"),
        ("services", "0006_booking_rules"),
        ("services", "0007_capacity"),
        ("services", "0008_resource_kinds"),
        ("services", "0009_needs_staff"),
    ]

    initial = True

    dependencies = [
        ("businesses", "0001_squashed_0012_labels"),
    ]

    operations = [
        migrations.CreateModel(
            name="Service",
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
                ("name", models.CharField(max_length=120)),
                ("description", models.TextField(blank=True, max_length=2000)),
                (
                    "duration_minutes",
                    models.PositiveSmallIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1440),
                        ]
                    ),
                ),
                (
                    "buffer_before_minutes",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(480)]
                    ),
                ),
                (
                    "buffer_after_minutes",
                    models.PositiveSmallIntegerField(
                        default=0, validators=[django.core.validators.MaxValueValidator(480)]
                    ),
                ),
                (
                    "price",
                    models.DecimalField(
                        decimal_places=2,
                        default=Decimal("0"),
                        max_digits=10,
                        validators=[django.core.validators.MinValueValidator(0)],
                    ),
                ),
                (
                    "capacity",
                    models.PositiveSmallIntegerField(
                        db_default=1,
                        default=1,
                        help_text="How many people one start takes: the seats of a class.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(500),
                        ],
                    ),
                ),
                (
                    "resource_kinds",
                    models.JSONField(
                        blank=True,
                        db_default=models.Value([], models.JSONField()),
                        default=list,
                        help_text='Kinds of resources of which it reserves one each, like ["chair"].',
                        validators=[services.models.check_kinds],
                    ),
                ),
                (
                    "needs_staff",
                    models.BooleanField(
                        db_default=True,
                        default=True,
                        help_text="Off: its resources are booked without a member of staff, like a table.",
                    ),
                ),
                (
                    "minimum_notice_minutes",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="It can be booked until so many minutes before it begins. Empty: as set for the business.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(525600)],
                    ),
                ),
                (
                    "horizon_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="It can be booked so many days ahead. Empty: as set for the business.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1825),
                        ],
                    ),
                ),
                (
                    "daily_cap",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Maximum appointments per day for this service, with all staff together. Empty: no limit.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10000),
                        ],
                    ),
                ),
                (
                    "cancellation_window_minutes",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Through the API it can be cancelled until so many minutes before it begins. Empty: at any time.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(525600)],
                    ),
                ),
                (
                    "reschedule_window_minutes",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Through the API it can be moved until so many minutes before it begins. Empty: at any time.",
                        null=True,
                        validators=[django.core.validators.MaxValueValidator(525600)],
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True, help_text="Off: cannot be booked.", verbose_name="active"
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
                        of=("name", "description"),
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("business"), models.F("name"), models.F("id"), name="service_name"
                    ),
                    models.Index(
                        models.F("business"),
                        models.F("updated_at"),
                        models.F("id"),
                        name="service_updated",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("duration_minutes__gte", 1), ("duration_minutes__lte", 1440)
                        ),
                        name="service_duration",
                        violation_error_message="A service takes from one minute to 24 hours.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("buffer_after_minutes__lte", 480), ("buffer_before_minutes__lte", 480)
                        ),
                        name="service_buffers",
                        violation_error_message="A buffer has at most 8 hours.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("price__gte", 0)),
                        name="service_price",
                        violation_error_message="A price is not negative.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("capacity__gte", 1), ("capacity__lte", 500)),
                        name="service_capacity",
                        violation_error_message="A start takes 1 to 500 people.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("needs_staff", True),
                            models.Q(("resource_kinds", []), _negated=True),
                            _connector="OR",
                        ),
                        name="service_needs_something",
                        violation_error_message="A service that needs no staff needs at least one kind of resource.",
                    ),
                ],
            },
        ),
    ]
