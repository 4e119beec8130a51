"""Resources that appointments and holds reserve."""

import django.db.models.deletion
from django.db import migrations, models

import appointments.no_overlap


class Migration(migrations.Migration):
    dependencies = [
        ("appointments", "0011_party_size"),
        ("businesses", "0010_no_index_of_business_alone"),
        ("resources", "0001_initial"),
        ("services", "0008_resource_kinds"),
        ("staff", "0006_no_index_of_business_alone"),
    ]

    operations = [
        migrations.AddField(
            model_name="appointment",
            name="resource_ids",
            field=models.JSONField(
                db_default=models.Value([], models.JSONField()), default=list, editable=False
            ),
        ),
        migrations.AddField(
            model_name="hold",
            name="resource_ids",
            field=models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
        ),
        migrations.CreateModel(
            name="ResourceBooking",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                ("start_time", models.DateTimeField()),
                ("busy_start", models.DateTimeField()),
                ("busy_end", models.DateTimeField()),
                ("is_shared", models.BooleanField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("scheduled", "Scheduled"),
                            ("completed", "Completed"),
                            ("cancelled", "Cancelled"),
                            ("no_show", "No Show"),
                        ],
                        max_length=9,
                    ),
                ),
                (
                    "appointment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="appointments.appointment",
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
                (
                    "resource",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="resources.resource",
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="services.service",
                    ),
                ),
                (
                    "staff",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="staff.staffmember",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.F("resource"),
                        models.F("busy_start"),
                        name="resource_booking_busy",
                    )
                ],
                "constraints": [
                    appointments.no_overlap.NoOverlap(
                        end="busy_end",
                        excluded_statuses=("cancelled",),
                        key="resource",
                        name="resource_no_overlap",
                        shared_by=("service", "staff", "start_time"),
                        shared_if="is_shared",
                        start="busy_start",
                        violation_error_code="slot_unavailable",
                        violation_error_message="This resource is booked at that time.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("busy_start__lt", models.F("busy_end"))),
                        name="resource_booking_times",
                    ),
                ],
            },
        ),
    ]
