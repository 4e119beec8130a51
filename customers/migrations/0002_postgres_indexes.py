"""Indexes that only PostgreSQL can have.

`customer_search`: what `?search=` looks through, trigrams of name, phone and e-mail; SQLite scans
the customers of the business. pg_trgm is a trusted extension (PostgreSQL 13 and later): the owner
of the database may create it, as with btree_gist, which the appointments need.

`customer_last_visit`: the order `-last_visit_at`, in which customers who never came are last.
"""

from django.contrib.postgres.operations import TrigramExtension
from django.db import migrations

# UPPER: what Django's `icontains` compares.
_INDEXES = {
    "customer_search": """
        CREATE INDEX customer_search ON customers_customer USING gin (
            UPPER(name::text) gin_trgm_ops,
            UPPER(phone::text) gin_trgm_ops,
            UPPER(email::text) gin_trgm_ops
        )""",
    "customer_last_visit": """
        CREATE INDEX customer_last_visit ON customers_customer (
            business_id, last_visit_at DESC NULLS LAST, id DESC
        )""",
}


def create_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for statement in _INDEXES.values():
            schema_editor.execute(statement)


def drop_indexes(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        for name in _INDEXES:
            schema_editor.execute(f"DROP INDEX {name}")


class Migration(migrations.Migration):
    dependencies = [("customers", "0001_initial")]

    operations = [TrigramExtension(), migrations.RunPython(create_indexes, drop_indexes)]
