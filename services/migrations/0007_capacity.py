"""How many people one start of a service takes."""

import django.core.validators
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("services", "0006_booking_rules")]

    operations = [
        migrations.AddField(
            model_name="service",
            name="capacity",
            field=models.PositiveSmallIntegerField(
                db_default=1,
                default=1,
                help_text="How many people one start takes: the seats of a class.",
                validators=[
                    django.core.validators.MinValueValidator(1),
                    django.core.validators.MaxValueValidator(500),
                ],
            ),
        ),
        migrations.AddConstraint(
            model_name="service",
            constraint=models.CheckConstraint(
                condition=models.Q(("capacity__gte", 1), ("capacity__lte", 500)),
                name="service_capacity",
                violation_error_message="A start takes 1 to 500 people.",
            ),
        ),
    ]
