"""The tables of 0001 to 0009 in one step, for new databases: with the steps the first start took 4 s
longer. A database that has run all of them, or some, does not run this one, but the rest of them."""

import django.db.models.deletion
from django.db import migrations, models

import kaivox.db.encrypted_fields
import kaivox.db.folded_text
import staff.minute_of_day


class Migration(migrations.Migration):
    replaces = [
        ("staff", "0001_initial"),
        ("staff", "0002_calendar_feeds"),
        ("staff", "0003_help_text"),
        ("staff", "0004_search_text"),
        ("staff", "0005_fill_search_text"),
        ("staff", "0006_no_index_of_business_alone"),
        ("staff", "0007_busy_calendars"),
        ("staff", "0008_labels"),
        ("staff", "0009_calendars_time_zone"),
    ]

    initial = True

    dependencies = [
        ("businesses", "0001_squashed_0012_labels"),
        ("services", "0001_squashed_0009_needs_staff"),
    ]

    operations = [
        migrations.CreateModel(
            name="StaffMember",
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
                ("specialty", models.CharField(blank=True, max_length=120)),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="e-mail")),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Off: cannot be booked. Past appointments stay.",
                        verbose_name="active",
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
                        of=("name", "specialty"),
                    ),
                ),
                (
                    "services",
                    models.ManyToManyField(blank=True, related_name="staff", to="services.service"),
                ),
            ],
            options={
                "verbose_name": "member of staff",
                "verbose_name_plural": "staff",
                "indexes": [
                    models.Index(
                        models.F("business"), models.F("name"), models.F("id"), name="staff_name"
                    ),
                    models.Index(
                        models.F("business"),
                        models.F("updated_at"),
                        models.F("id"),
                        name="staff_updated",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="WorkingHours",
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
                    "weekday",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "Monday"),
                            (1, "Tuesday"),
                            (2, "Wednesday"),
                            (3, "Thursday"),
                            (4, "Friday"),
                            (5, "Saturday"),
                            (6, "Sunday"),
                        ]
                    ),
                ),
                ("start_minute", staff.minute_of_day.MinuteOfDayField(verbose_name="from")),
                (
                    "end_minute",
                    staff.minute_of_day.MinuteOfDayField(
                        help_text="24:00 is the end of the day.", verbose_name="to"
                    ),
                ),
                (
                    "staff",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="working_hours",
                        to="staff.staffmember",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "working hours",
                "indexes": [
                    models.Index(
                        models.F("business"), models.F("staff"), name="working_hours_staff"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("end_minute__lte", 1440),
                            ("start_minute__lt", models.F("end_minute")),
                            ("weekday__lte", 6),
                        ),
                        name="working_hours_window",
                        violation_error_message="Hours end after they start. To work past midnight, end at 24:00 and begin the next day at 00:00.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Break",
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
                    "weekday",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (0, "Monday"),
                            (1, "Tuesday"),
                            (2, "Wednesday"),
                            (3, "Thursday"),
                            (4, "Friday"),
                            (5, "Saturday"),
                            (6, "Sunday"),
                        ]
                    ),
                ),
                ("start_minute", staff.minute_of_day.MinuteOfDayField(verbose_name="from")),
                (
                    "end_minute",
                    staff.minute_of_day.MinuteOfDayField(
                        help_text="24:00 is the end of the day.", verbose_name="to"
                    ),
                ),
                (
                    "staff",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="breaks",
                        to="staff.staffmember",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(models.F("business"), models.F("staff"), name="break_staff")
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("end_minute__lte", 1440),
                            ("start_minute__lt", models.F("end_minute")),
                            ("weekday__lte", 6),
                        ),
                        name="break_window",
                        violation_error_message="A break ends after it starts.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DateOverride",
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
                    "staff",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="date_overrides",
                        to="staff.staffmember",
                    ),
                ),
                ("date", models.DateField()),
                (
                    "start_minute",
                    staff.minute_of_day.MinuteOfDayField(
                        blank=True, null=True, verbose_name="from"
                    ),
                ),
                (
                    "end_minute",
                    staff.minute_of_day.MinuteOfDayField(
                        blank=True,
                        help_text="Both empty: does not work on this date.",
                        null=True,
                        verbose_name="to",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.F("staff"),
                        models.F("date"),
                        name="date_override_staff",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            models.Q(("end_minute__isnull", True), ("start_minute__isnull", True)),
                            models.Q(
                                ("end_minute__isnull", False),
                                ("end_minute__lte", 1440),
                                ("start_minute__isnull", False),
                                ("start_minute__lt", models.F("end_minute")),
                            ),
                            _connector="OR",
                        ),
                        name="date_override_window",
                        violation_error_message="Give both times, the end after the start; or neither, for a day off.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="TimeOff",
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
                    "staff",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="time_off",
                        to="staff.staffmember",
                    ),
                ),
                ("start_time", models.DateTimeField()),
                ("end_time", models.DateTimeField()),
                ("reason", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "verbose_name_plural": "time off",
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.F("staff"),
                        models.F("end_time"),
                        name="time_off_staff",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("start_time__lt", models.F("end_time"))),
                        name="time_off_range",
                        violation_error_message="Time off ends after it starts.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Closure",
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
                    "kind",
                    models.CharField(
                        choices=[("holiday", "Holiday"), ("emergency", "Emergency closure")],
                        default="holiday",
                        max_length=12,
                    ),
                ),
                ("first_date", models.DateField(verbose_name="first day")),
                (
                    "last_date",
                    models.DateField(
                        help_text="The same day for a closure of one day.", verbose_name="last day"
                    ),
                ),
                (
                    "from_minute",
                    staff.minute_of_day.MinuteOfDayField(
                        default=0,
                        help_text="On the first day; 00:00 for the whole day.",
                        verbose_name="from",
                    ),
                ),
                (
                    "until_minute",
                    staff.minute_of_day.MinuteOfDayField(
                        default=1440,
                        help_text="On the last day; 24:00 for the whole day.",
                        verbose_name="until",
                    ),
                ),
                ("reason", models.CharField(max_length=200)),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("business"), models.F("last_date"), name="closure_business"
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(
                            ("from_minute__lte", 1440),
                            ("until_minute__lte", 1440),
                            models.Q(
                                ("first_date__lt", models.F("last_date")),
                                models.Q(
                                    ("first_date", models.F("last_date")),
                                    ("from_minute__lt", models.F("until_minute")),
                                ),
                                _connector="OR",
                            ),
                        ),
                        name="closure_range",
                        violation_error_message="A closure ends after it starts.",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="CalendarFeed",
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
                    "staff",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="feeds",
                        to="staff.staffmember",
                    ),
                ),
                ("digest", models.CharField(editable=False, max_length=64, unique=True)),
                ("last_four", models.CharField(editable=False, max_length=4)),
            ],
            options={
                "indexes": [
                    models.Index(models.F("business"), models.F("staff"), name="feed_staff")
                ],
            },
        ),
        migrations.CreateModel(
            name="BusyCalendar",
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
                    "staff",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="busy_calendars",
                        to="staff.staffmember",
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        blank=True, help_text="What it is called here.", max_length=120
                    ),
                ),
                ("ics_url", kaivox.db.encrypted_fields.EncryptedTextField(editable=False)),
                (
                    "shown_url",
                    models.CharField(editable=False, max_length=300, verbose_name="address"),
                ),
                ("etag", models.CharField(blank=True, editable=False, max_length=300)),
                ("last_modified", models.CharField(blank=True, editable=False, max_length=100)),
                ("digest", models.CharField(blank=True, editable=False, max_length=64)),
                ("covers_until", models.DateTimeField(editable=False, null=True)),
                (
                    "computed_in",
                    models.CharField(
                        blank=True, db_default="", default="", editable=False, max_length=64
                    ),
                ),
                ("busy_count", models.PositiveIntegerField(default=0, editable=False)),
                ("last_read_at", models.DateTimeField(editable=False, null=True)),
                ("failing_since", models.DateTimeField(editable=False, null=True)),
                ("problem", models.CharField(blank=True, editable=False, max_length=200)),
                ("failure_count", models.PositiveIntegerField(default=0, editable=False)),
                ("next_poll_at", models.DateTimeField(editable=False)),
            ],
            options={
                "verbose_name": "calendar of busy times",
                "verbose_name_plural": "calendars of busy times",
                "indexes": [
                    models.Index(
                        models.F("business"), models.F("staff"), name="busy_calendar_staff"
                    ),
                    models.Index(models.F("next_poll_at"), name="busy_calendar_due"),
                ],
            },
        ),
        migrations.CreateModel(
            name="CalendarBusyTime",
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
                    "calendar",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="busy_times",
                        to="staff.busycalendar",
                    ),
                ),
                (
                    "staff",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="staff.staffmember",
                    ),
                ),
                ("start_time", models.DateTimeField()),
                ("end_time", models.DateTimeField()),
            ],
            options={
                "indexes": [
                    models.Index(
                        models.F("business"),
                        models.F("staff"),
                        models.F("end_time"),
                        name="calendar_busy_staff",
                    )
                ],
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("start_time__lt", models.F("end_time"))),
                        name="calendar_busy_range",
                    )
                ],
            },
        ),
    ]
