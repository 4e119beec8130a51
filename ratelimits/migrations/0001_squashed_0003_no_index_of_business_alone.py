"""The tables of 0001 to 0003 in one step, for new databases: with the steps the first start took 4 s
longer. A database that has run all of them, or some, does not run this one, but the rest of them."""

import django.core.validators
import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    replaces = [
        ("ratelimits", "0001_initial"),
        ("ratelimits", "0002_labels"),
        ("ratelimits", "0003_no_index_of_business_alone"),
    ]

    initial = True

    dependencies = [
        ("businesses", "0001_squashed_0012_labels"),
    ]

    operations = [
        migrations.CreateModel(
            name="QuotaOverride",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "business",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="quota_override",
                        to="businesses.business",
                    ),
                ),
                (
                    "per_minute",
                    models.PositiveIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10000),
                        ]
                    ),
                ),
                (
                    "per_day",
                    models.PositiveIntegerField(
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(100000000),
                        ]
                    ),
                ),
                (
                    "ends_at",
                    models.DateTimeField(help_text="From then on the plan's quota applies again."),
                ),
                ("reason", models.CharField(blank=True, max_length=200)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("updated_at", models.DateTimeField(auto_now=True)),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("per_day__gt", 0), ("per_minute__gt", 0)),
                        name="quota_override_is_positive",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DailyUsage",
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
                ("day", models.DateField()),
                ("admitted", models.PositiveIntegerField(default=0)),
                ("refused", models.PositiveIntegerField(default=0)),
                (
                    "peak_minute",
                    models.PositiveIntegerField(default=0, help_text="The most in any 60 seconds."),
                ),
                (
                    "warned_at_percent",
                    models.PositiveSmallIntegerField(
                        default=0,
                        editable=False,
                        help_text="80 or 100 once the contact was e-mailed.",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "daily usage",
                "constraints": [
                    models.UniqueConstraint(fields=("business", "day"), name="daily_usage_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="BusinessUsage",
            fields=[],
            options={
                "verbose_name": "quota",
                "verbose_name_plural": "quotas",
                "proxy": True,
            },
            bases=("businesses.business",),
        ),
    ]
