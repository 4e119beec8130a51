"""`manage.py seed_demo`: creates the demo businesses that do not exist yet."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from kaivox.demo.seed import seed_demo
from kaivox.embedded.progress import Progress


class Command(BaseCommand):
    help = "Creates the demo businesses that do not exist yet; repeatable."

    def handle(self, **options: Any) -> None:
        with Progress(self.stderr.write).step("Filling the demo"):
            made = seed_demo(now=timezone.now())
        names = ", ".join(f"{business.name} ({business.slug})" for business in made)
        self.stdout.write(f"Created {names}." if made else "Nothing to do: the demo exists.")
