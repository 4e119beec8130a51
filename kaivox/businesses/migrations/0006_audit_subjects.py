import django.core.validators
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("businesses", "0005_pending_touches"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="auditentry",
            name="subject_id",
            field=models.BigIntegerField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="auditentry",
            name="subject_type",
            field=models.CharField(blank=True, db_default="", default="", max_length=100),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="allowed_cidrs",
            field=models.JSONField(
                blank=True,
                default=list,
                help_text='Empty: any address. Otherwise such as ["203.0.113.0/24"].',
            ),
        ),
        migrations.AlterField(
            model_name="apikey",
            name="query_allowed",
            field=models.BooleanField(
                default=True,
                help_text="Off: accepted in a header only.",
                verbose_name="accepted as ?api_key=",
            ),
        ),
        migrations.AlterField(
            model_name="business",
            name="contact_email",
            field=models.EmailField(
                blank=True,
                help_text="Receives notices about quotas, webhooks and API keys.",
                max_length=254,
            ),
        ),
        migrations.AlterField(
            model_name="business",
            name="country",
            field=models.CharField(
                help_text="Phone numbers without a country code are read as numbers of this country.",
                max_length=2,
                validators=[
                    django.core.validators.RegexValidator(
                        "^[A-Z]{2}$", "Two capital letters (ISO 3166), such as IN."
                    )
                ],
            ),
        ),
        migrations.AlterField(
            model_name="business",
            name="daily_cap_per_staff",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Maximum appointments per day for one staff member. Empty: no limit.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
        migrations.AlterField(
            model_name="business",
            name="transcript_retention_days",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Transcripts are deleted after this many days. Empty: never.",
                null=True,
                validators=[django.core.validators.MinValueValidator(1)],
            ),
        ),
    ]
