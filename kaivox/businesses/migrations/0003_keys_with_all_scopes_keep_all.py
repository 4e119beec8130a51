"""Adds the new scopes to keys that had every scope. Keys with fewer scopes stay as they are."""

from django.db import migrations

FORMER = {
    "appointments:read",
    "appointments:write",
    "customers:read",
    "customers:write",
    "calls:read",
    "staff:read",
    "services:read",
    "webhooks:read",
    "webhooks:write",
}
ALL = [
    "appointments:read",
    "appointments:write",
    "slots:read",
    "customers:read",
    "customers:write",
    "calls:read",
    "staff:read",
    "staff:write",
    "services:read",
    "services:write",
    "webhooks:read",
    "webhooks:write",
]


def add_new_scopes(apps, schema_editor):
    keys = apps.get_model("businesses", "ApiKey").objects
    for pk, scopes in keys.values_list("pk", "scopes").iterator():
        if set(scopes) == FORMER:
            keys.filter(pk=pk).update(scopes=ALL)


class Migration(migrations.Migration):
    dependencies = [("businesses", "0002_change_counter")]

    operations = [migrations.RunPython(add_new_scopes, migrations.RunPython.noop)]
