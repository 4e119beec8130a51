"""Whether the customer has confirmed the appointment."""

from django.db import migrations, models

from kaivox.db.migrations import AddCheckNotValid

CHOICES = [
    ("none", "None"),
    ("requested", "Requested"),
    ("confirmed", "Confirmed"),
    ("declined", "Declined"),
]


class Migration(migrations.Migration):
    dependencies = [("appointments", "0007_no_index_of_business_alone")]

    operations = [
        migrations.AddField(
            model_name="appointment",
            name="confirmation",
            field=models.CharField(
                choices=CHOICES, db_default="none", default="none", max_length=9
            ),
        ),
        AddCheckNotValid(
            model_name="appointment",
            constraint=models.CheckConstraint(
                condition=models.Q(("confirmation__in", [value for value, _ in CHOICES])),
                name="appointment_confirmation_known",
            ),
        ),
    ]
