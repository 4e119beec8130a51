"""The tables of 0001 to 0018 in one step, for new databases: with the steps the first start took 4 s
longer. A database that has run all of them, or some, does not run this one, but the rest of them."""

import django.db.models.deletion
from django.db import migrations, models

import appointments.no_overlap
from kaivox.db.migrations import on_postgresql


class Migration(migrations.Migration):
    replaces = [
        ("appointments", "0001_initial"),
        ("appointments", "0002_drop_redundant_index"),
        ("appointments", "0003_holds_remember_their_key"),
        ("appointments", "0004_no_overlap_message"),
        ("appointments", "0005_customers_last_scheduled"),
        ("appointments", "0006_waitlist"),
        ("appointments", "0007_no_index_of_business_alone"),
        ("appointments", "0008_confirmation"),
        ("appointments", "0009_validate_confirmation"),
        ("appointments", "0010_reminders"),
        ("appointments", "0011_party_size"),
        ("appointments", "0012_resources"),
        ("appointments", "0013_series_and_visits"),
        ("appointments", "0014_index_series_and_visits"),
        ("appointments", "0015_without_staff"),
        ("appointments", "0016_classes_without_staff"),
        ("appointments", "0017_sentence_case_labels"),
        ("appointments", "0018_call_and_totals"),
    ]

    initial = True

    dependencies = [
        ("businesses", "0001_squashed_0012_labels"),
        ("customers", "0001_squashed_0007_sentence_case_labels"),
        ("resources", "0001_initial"),
        ("services", "0001_squashed_0009_needs_staff"),
        ("staff", "0001_squashed_0009_calendars_time_zone"),
    ]

    operations = [
        on_postgresql("CREATE EXTENSION IF NOT EXISTS btree_gist"),
        migrations.CreateModel(
            name="AppointmentSeries",
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
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.customer",
                    ),
                ),
                (
                    "frequency",
                    models.CharField(
                        choices=[("daily", "Daily"), ("weekly", "Weekly"), ("monthly", "Monthly")],
                        max_length=7,
                    ),
                ),
                ("interval", models.PositiveSmallIntegerField()),
                ("weekdays", models.JSONField(blank=True, default=list)),
                ("count", models.PositiveSmallIntegerField()),
            ],
            options={
                "verbose_name_plural": "appointment series",
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.F("created_at"),
                        models.F("id"),
                        name="series_created",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Visit",
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
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.customer",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.F("created_at"),
                        models.F("id"),
                        name="visit_created",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="WaitlistEntry",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
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
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="customers.customer",
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="services.service",
                    ),
                ),
                (
                    "staff",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="staff.staffmember",
                    ),
                ),
                ("date_from", models.DateField(help_text="In the business's time zone.")),
                ("date_to", models.DateField(help_text="Included.")),
                (
                    "part_of_day",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("morning", "Morning"),
                            ("afternoon", "Afternoon"),
                            ("evening", "Evening"),
                        ],
                        max_length=9,
                    ),
                ),
                ("party_size", models.PositiveSmallIntegerField(default=1)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("offered", "Offered"),
                            ("booked", "Booked"),
                            ("expired", "Expired"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="waiting",
                        max_length=9,
                    ),
                ),
                ("unanswered_offers", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("hold_id", models.BigIntegerField(blank=True, editable=False, null=True)),
                ("offered_start_time", models.DateTimeField(blank=True, editable=False, null=True)),
                (
                    "offered_staff",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="staff.staffmember",
                    ),
                ),
                ("offer_expires_at", models.DateTimeField(blank=True, editable=False, null=True)),
            ],
            options={
                "verbose_name_plural": "waitlist entries",
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.F("created_at"),
                        models.F("id"),
                        name="waitlist_created",
                    ),
                    models.Index(
                        models.F("business"),
                        models.F("updated_at"),
                        models.F("id"),
                        name="waitlist_updated",
                    ),
                    models.Index(
                        models.F("business"),
                        models.F("unanswered_offers"),
                        models.F("created_at"),
                        models.F("id"),
                        condition=models.Q(("status__in", ["waiting", "offered"])),
                        name="waitlist_open",
                    ),
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("date_from__lte", models.F("date_to"))),
                        name="waitlist_dates",
                        violation_error_message="The last day is before the first.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("party_size__gte", 1), ("party_size__lte", 500)),
                        name="waitlist_party_size",
                        violation_error_message="A party has 1 to 500 people.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["waiting", "offered", "booked", "expired", "cancelled"])
                        ),
                        name="waitlist_status_known",
                    ),
                    models.UniqueConstraint(
                        models.F("business"),
                        models.F("customer"),
                        models.F("service"),
                        condition=models.Q(("status__in", ["waiting", "offered"])),
                        name="waitlist_once",
                        violation_error_message="This customer already waits for this service.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Appointment",
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
                (
                    "customer",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="customers.customer",
                    ),
                ),
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="services.service",
                    ),
                ),
                (
                    "staff",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="staff.staffmember",
                    ),
                ),
                ("start_time", models.DateTimeField()),
                ("end_time", models.DateTimeField()),
                ("busy_start", models.DateTimeField(editable=False)),
                ("busy_end", models.DateTimeField(editable=False)),
                ("duration_minutes", models.PositiveSmallIntegerField(editable=False)),
                ("party_size", models.PositiveSmallIntegerField(db_default=1, default=1)),
                ("is_shared", models.BooleanField(db_default=False, default=False, editable=False)),
                ("price", models.DecimalField(decimal_places=2, max_digits=10)),
                ("currency", models.CharField(max_length=3)),
                (
                    "resource_ids",
                    models.JSONField(
                        db_default=models.Value([], models.JSONField()),
                        default=list,
                        editable=False,
                    ),
                ),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("scheduled", "Scheduled"),
                            ("completed", "Completed"),
                            ("cancelled", "Cancelled"),
                            ("no_show", "No show"),
                        ],
                        default="scheduled",
                        max_length=9,
                    ),
                ),
                (
                    "confirmation",
                    models.CharField(
                        choices=[
                            ("none", "None"),
                            ("requested", "Requested"),
                            ("confirmed", "Confirmed"),
                            ("declined", "Declined"),
                        ],
                        db_default="none",
                        default="none",
                        max_length=9,
                    ),
                ),
                ("source", models.CharField(default="api", max_length=40)),
                ("notes", models.TextField(blank=True, max_length=5000)),
                ("cancellation_reason", models.CharField(blank=True, max_length=500)),
                ("call_id", models.BigIntegerField(blank=True, null=True)),
                ("reminded_start", models.DateTimeField(editable=False, null=True)),
                ("metadata", models.JSONField(blank=True, default=dict)),
                (
                    "series",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="appointments.appointmentseries",
                    ),
                ),
                (
                    "visit",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="appointments",
                        to="appointments.visit",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.F("start_time"),
                        models.F("id"),
                        include=("status", "service", "staff"),
                        name="appointment_listed",
                    ),
                    models.Index(
                        models.F("business"),
                        models.F("created_at"),
                        models.F("id"),
                        name="appointment_created",
                    ),
                    models.Index(
                        models.F("business"),
                        models.F("updated_at"),
                        models.F("id"),
                        name="appointment_updated",
                    ),
                    models.Index(
                        models.F("business"),
                        models.F("customer"),
                        models.F("start_time"),
                        name="appointment_customer",
                    ),
                    models.Index(
                        models.F("business"),
                        models.F("staff"),
                        models.F("busy_start"),
                        models.F("busy_end"),
                        models.F("start_time"),
                        condition=models.Q(("status", "cancelled"), _negated=True),
                        name="appointment_busy",
                    ),
                    models.Index(
                        models.F("business"),
                        models.F("call_id"),
                        condition=models.Q(("call_id__isnull", False)),
                        name="appointment_call",
                    ),
                    models.Index(
                        models.F("business"),
                        models.F("series"),
                        models.F("start_time"),
                        condition=models.Q(("series__isnull", False)),
                        name="appointment_series",
                    ),
                    models.Index(
                        models.F("business"),
                        models.F("visit"),
                        models.F("start_time"),
                        condition=models.Q(("visit__isnull", False)),
                        name="appointment_visit",
                    ),
                ],
                "constraints": [
                    appointments.no_overlap.NoOverlap(
                        end="busy_end",
                        excluded_statuses=("cancelled",),
                        key="staff",
                        name="appointment_no_overlap",
                        shared_by=("service", "start_time"),
                        shared_if="is_shared",
                        start="busy_start",
                        violation_error_code="slot_unavailable",
                        violation_error_message="This member of staff is booked at that time.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("busy_end__gte", models.F("end_time")),
                            ("busy_start__lte", models.F("start_time")),
                            ("start_time__lt", models.F("end_time")),
                        ),
                        name="appointment_times",
                        violation_error_message="An appointment ends after it starts.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("party_size__gte", 1), ("party_size__lte", 500)),
                        name="appointment_party_size",
                        violation_error_message="A party has 1 to 500 people.",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("status__in", ["scheduled", "completed", "cancelled", "no_show"])
                        ),
                        name="appointment_status_known",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(
                            ("confirmation__in", ["none", "requested", "confirmed", "declined"])
                        ),
                        name="appointment_confirmation_known",
                    ),
                ],
            },
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
                    "appointment",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="appointments.appointment",
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
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="staff.staffmember",
                    ),
                ),
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
                            ("no_show", "No show"),
                        ],
                        max_length=9,
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
        migrations.CreateModel(
            name="Hold",
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
                (
                    "service",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="services.service",
                    ),
                ),
                (
                    "staff",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="staff.staffmember",
                    ),
                ),
                ("start_time", models.DateTimeField()),
                ("end_time", models.DateTimeField()),
                ("busy_start", models.DateTimeField()),
                ("busy_end", models.DateTimeField()),
                ("party_size", models.PositiveSmallIntegerField(db_default=1, default=1)),
                (
                    "resource_ids",
                    models.JSONField(db_default=models.Value([], models.JSONField()), default=list),
                ),
                ("expires_at", models.DateTimeField()),
                (
                    "created_by_key",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="businesses.apikey",
                    ),
                ),
                (
                    "waitlist_entry",
                    models.ForeignKey(
                        blank=True,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="appointments.waitlistentry",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.F("staff"),
                        models.F("expires_at"),
                        name="hold_staff",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("busy_end__gte", models.F("end_time")),
                            ("busy_start__lte", models.F("start_time")),
                            ("start_time__lt", models.F("end_time")),
                        ),
                        name="hold_times",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("party_size__gte", 1), ("party_size__lte", 500)),
                        name="hold_party_size",
                        violation_error_message="A party has 1 to 500 people.",
                    ),
                ],
            },
        ),
    ]
