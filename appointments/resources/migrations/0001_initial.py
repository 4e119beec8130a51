"""Resources: studios, chairs, tables, machines."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models

import appointments.resources.hours


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("businesses", "0010_no_index_of_business_alone"),
    ]

    operations = [
        migrations.CreateModel(
            name="Resource",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("name", models.CharField(max_length=120)),
                (
                    "kind",
                    models.CharField(
                        help_text="What services ask for, such as chair or table: small letters, digits and _.",
                        max_length=40,
                        validators=[
                            django.core.validators.RegexValidator(
                                "\\A[a-z0-9_]{1,40}\\Z",
                                "Use small letters, digits and _, at most 40.",
                            )
                        ],
                    ),
                ),
                (
                    "capacity",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="How many people it takes: the seats of a table.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(500),
                        ],
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True, help_text="Off: cannot be booked.", verbose_name="active"
                    ),
                ),
                (
                    "hours",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text='Each week, like [{"weekday": 0, "start": "09:00", "end": "17:00"}]; 0 is Monday. None: always.',
                        validators=[appointments.resources.hours.check_hours],
                    ),
                ),
                (
                    "closures",
                    models.JSONField(
                        blank=True,
                        default=list,
                        help_text='When it cannot be booked, like [{"start_time": "2026-03-02T09:00:00Z", "end_time": "2026-03-02T12:00:00Z", "reason": "Repair"}].',
                        validators=[appointments.resources.hours.check_closures],
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
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("business"), models.F("name"), models.F("id"), name="resource_name"
                    ),
                    models.Index(
                        models.F("business"),
                        models.F("updated_at"),
                        models.F("id"),
                        name="resource_updated",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("capacity__gte", 1), ("capacity__lte", 500)),
                        name="resource_capacity",
                        violation_error_message="A resource takes 1 to 500 people.",
                    )
                ],
            },
        ),
    ]
