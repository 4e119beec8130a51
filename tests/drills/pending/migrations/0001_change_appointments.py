from django.db import migrations

TABLE = "appointments_appointment"


class Migration(migrations.Migration):
    """The kinds of changes that CONTRIBUTING allows, on the table that clients write to."""

    atomic = False

    operations = [
        migrations.RunSQL(
            f"CREATE INDEX CONCURRENTLY drill_index ON {TABLE} (business_id, currency)",
            "DROP INDEX CONCURRENTLY drill_index",
        ),
        migrations.RunSQL(
            f"ALTER TABLE {TABLE} ADD COLUMN drill integer NOT NULL DEFAULT 0",
            f"ALTER TABLE {TABLE} DROP COLUMN drill",
        ),
        migrations.RunSQL(
            f"ALTER TABLE {TABLE} ADD CONSTRAINT drill_check CHECK (drill >= 0) NOT VALID",
            f"ALTER TABLE {TABLE} DROP CONSTRAINT drill_check",
        ),
        migrations.RunSQL(
            f"ALTER TABLE {TABLE} VALIDATE CONSTRAINT drill_check", migrations.RunSQL.noop
        ),
    ]
