"""Booking rules of one service; null is the rule of the business, or none."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("services", "0005_no_index_of_business_alone"),
    ]

    operations = [
        migrations.AddField(
            model_name="service",
            name="cancellation_window_minutes",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Through the API it can be cancelled until so many minutes before it begins. Empty: at any time.",
                null=True,
                validators=[django.core.validators.MaxValueValidator(525600)],
            ),
        ),
        migrations.AddField(
            model_name="service",
            name="daily_cap",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="Maximum appointments per day for this service, with all staff together. Empty: no limit.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(10000),
                ],
            ),
        ),
        migrations.AddField(
            model_name="service",
            name="horizon_days",
            field=models.PositiveSmallIntegerField(
                blank=True,
                help_text="It can be booked so many days ahead. Empty: as set for the business.",
                null=True,
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(1825),
                ],
            ),
        ),
        migrations.AddField(
            model_name="service",
            name="minimum_notice_minutes",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="It can be booked until so many minutes before it begins. Empty: as set for the business.",
                null=True,
                validators=[django.core.validators.MaxValueValidator(525600)],
            ),
        ),
        migrations.AddField(
            model_name="service",
            name="reschedule_window_minutes",
            field=models.PositiveIntegerField(
                blank=True,
                help_text="Through the API it can be moved until so many minutes before it begins. Empty: at any time.",
                null=True,
                validators=[django.core.validators.MaxValueValidator(525600)],
            ),
        ),
    ]
