"""When reminders of appointments are due; null: never."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("businesses", "0010_no_index_of_business_alone"),
    ]

    operations = [
        migrations.AddField(
            model_name="business",
            name="reminder_hours",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="So many hours before an appointment the event appointment.reminder_due is sent to webhooks. Empty: never.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(168),
                ],
            ),
        ),
    ]
