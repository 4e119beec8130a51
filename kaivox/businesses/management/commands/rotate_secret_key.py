"""`manage.py rotate_secret_key`: re-encrypts stored secrets with the current SECRET_KEY."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kaivox.businesses.reencryption import encrypted_columns, reencrypt_column


class Command(BaseCommand):
    help = (
        "Re-encrypts every stored secret with SECRET_KEY. First put the former key into "
        "SECRET_KEY_FALLBACKS and restart all processes; afterwards remove it from there."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        unreadable = 0
        for model, name in encrypted_columns():
            counts = reencrypt_column(model, name)
            unreadable += counts.unreadable
            self.stdout.write(
                f"{model._meta.label}.{name}: {counts.changed} encrypted again, "
                f"{counts.current} were current, {counts.unreadable} cannot be read."
            )
        if unreadable:
            raise CommandError(
                f"{unreadable} secrets were encrypted with a key that is neither SECRET_KEY nor in "
                "SECRET_KEY_FALLBACKS. Add it and run this again, or set those secrets again."
            )
