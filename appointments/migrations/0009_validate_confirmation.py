"""Validates the constraint of the migration before."""

from django.db import migrations

from kaivox.db.migrations import validate_check


class Migration(migrations.Migration):
    dependencies = [("appointments", "0008_confirmation")]

    operations = [validate_check("appointments", "appointment", "appointment_confirmation_known")]
