from django.db import migrations


class Migration(migrations.Migration):
    """Renames the model; the table keeps its name, so processes of the version before go on."""

    dependencies = [("idempotency", "0002_responses_belong_to_scopes")]

    operations = [
        migrations.AlterModelTable("answered", "idempotency_answered"),
        migrations.RenameModel("Answered", "IdempotencyRecord"),
        migrations.AlterModelOptions("idempotencyrecord", {"verbose_name": "idempotency record"}),
    ]
