"""Rate limit per endpoint. The table has at most 50 rows per business: the index and the check take
no noticeable time."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0011_endpoint_filters"),
    ]

    operations = [
        migrations.AddField(
            model_name="endpoint",
            name="limited_until",
            field=models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="rate_limit",
            field=models.PositiveSmallIntegerField(
                db_default=0,
                default=0,
                help_text="The most requests per period. What is over waits. 0: no limit.",
                validators=[django.core.validators.MaxValueValidator(600)],
            ),
        ),
        migrations.AddField(
            model_name="endpoint",
            name="rate_limit_period",
            field=models.CharField(
                choices=[("second", "Second"), ("minute", "Minute")],
                db_default="minute",
                default="minute",
                max_length=6,
            ),
        ),
        migrations.AddIndex(
            model_name="endpoint",
            index=models.Index(
                condition=models.Q(("limited_until__isnull", False)),
                fields=["limited_until"],
                name="endpoint_limited",
            ),
        ),
        migrations.AddConstraint(
            model_name="endpoint",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("rate_limit__lte", 600), ("rate_limit_period__in", ["second", "minute"])
                ),
                name="endpoint_rate_limit_known",
                violation_error_message="At most 600 requests per second or minute.",
            ),
        ),
    ]
