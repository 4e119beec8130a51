"""Fills the folded columns in batches, and replaces the indexes on UPPER() by indexes on them.

PostgreSQL's `customer_search` is a trigram index, for `?search=` anywhere in the text; SQLite scans
the customers of the business.
"""

from django.db import migrations, models

from kaivox.db.migrations import fill_folded_text


def replace_indexes(apps, schema_editor):
    is_postgresql = schema_editor.connection.vendor == "postgresql"
    concurrently = "CONCURRENTLY" if is_postgresql else ""
    statements = [
        f"CREATE INDEX {concurrently} customer_email_folded"
        " ON customers_customer (business_id, email_folded)",
        f"DROP INDEX {concurrently} IF EXISTS customer_email",
    ]
    if is_postgresql:
        statements += [
            "CREATE INDEX CONCURRENTLY customer_search_text"
            " ON customers_customer USING gin (search_text gin_trgm_ops)",
            "DROP INDEX CONCURRENTLY IF EXISTS customer_search",
        ]
    for statement in statements:
        schema_editor.execute(statement)


class Migration(migrations.Migration):
    atomic = False  # batches commit one by one, and indexes are built CONCURRENTLY

    dependencies = [("customers", "0004_folded_columns")]

    operations = [
        fill_folded_text("customers", "customer", "email_folded", "search_text"),
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RemoveIndex("customer", "customer_email"),
                migrations.AddIndex(
                    "customer",
                    models.Index(fields=["business", "email_folded"], name="customer_email_folded"),
                ),
            ],
            database_operations=[migrations.RunPython(replace_indexes)],
        ),
    ]
