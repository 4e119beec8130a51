"""Labels of choices and messages; no statement runs."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0007_event_feed"),
    ]

    operations = [
        migrations.AlterField(
            model_name="attempt",
            name="outcome",
            field=models.CharField(
                choices=[
                    ("in_flight", "in flight"),
                    ("succeeded", "Succeeded"),
                    ("http_error", "not a 2xx"),
                    ("timeout", "no response in time"),
                    ("dns_error", "name not found"),
                    ("connect_error", "no connection"),
                    ("tls_error", "no trusted connection"),
                    ("blocked_destination", "address not allowed"),
                    ("protocol_error", "no valid HTTP response"),
                    ("worker_lost", "our worker was lost"),
                ],
                default="in_flight",
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="delivery",
            name="status",
            field=models.CharField(
                choices=[
                    ("pending", "waiting to be sent"),
                    ("in_flight", "being sent"),
                    ("succeeded", "Succeeded"),
                    ("exhausted", "failed, no retry left"),
                    ("cancelled", "Cancelled"),
                ],
                default="pending",
                max_length=9,
            ),
        ),
        migrations.AlterField(
            model_name="endpoint",
            name="disabled_reason",
            field=models.CharField(
                blank=True,
                choices=[
                    ("paused", "paused by a user"),
                    ("deleted", "Deleted"),
                    ("gone", "it responded 410 Gone"),
                    ("failing", "its deliveries failed for days"),
                    ("key_revoked", "its API key is revoked, expired or lacks a scope"),
                ],
                default="",
                editable=False,
                max_length=20,
            ),
        ),
        migrations.AlterField(
            model_name="endpoint",
            name="max_in_flight",
            field=models.PositiveSmallIntegerField(
                default=4,
                help_text="The most requests in flight at once.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(16),
                ],
            ),
        ),
        migrations.AlterConstraint(
            model_name="endpoint",
            name="endpoint_off_for_a_reason",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("disabled_reason", ""), ("is_active", True)),
                    models.Q(
                        ("is_active", False), models.Q(("disabled_reason", ""), _negated=True)
                    ),
                    _connector="OR",
                ),
                name="endpoint_off_for_a_reason",
                violation_error_message="An endpoint that is off has a reason.",
            ),
        ),
    ]
