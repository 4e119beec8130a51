"""Headers of the user's own, encrypted, for every request to an endpoint."""

from django.db import migrations

import kaivox.db.encrypted_fields


class Migration(migrations.Migration):
    dependencies = [
        ("webhooks", "0004_endpoints_remember_their_creator"),
    ]

    operations = [
        migrations.AddField(
            model_name="endpoint",
            name="custom_headers",
            field=kaivox.db.encrypted_fields.EncryptedTextField(
                blank=True, editable=False, null=True
            ),
        ),
    ]
