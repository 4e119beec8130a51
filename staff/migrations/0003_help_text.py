"""The help text of `is_active`; nothing changes in the database."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("staff", "0002_calendar_feeds"),
    ]

    operations = [
        migrations.AlterField(
            model_name="staffmember",
            name="is_active",
            field=models.BooleanField(
                default=True,
                help_text="Off: cannot be booked. Past appointments stay.",
                verbose_name="active",
            ),
        ),
    ]
