from django.db import migrations


class Migration(migrations.Migration):
    """Renames the model; the table keeps its name, so processes of the version before go on."""

    dependencies = [("calls", "0008_drop_redundant_index")]

    operations = [
        migrations.AlterModelTable("message", "calls_message"),
        migrations.RenameModel("Message", "ProviderMessage"),
    ]
