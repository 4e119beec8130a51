"""`manage.py seed_demo`: the demo's businesses, each once."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from kaivox.demo.fill import fill_demo
from kaivox.progress import Progress


class Command(BaseCommand):
    help = "Makes the demo's businesses that are missing; run again, it changes nothing."

    def handle(self, **options: Any) -> None:
        with Progress(self.stderr.write).step("Filling the demo"):
            made = fill_demo(now=timezone.now())
        names = ", ".join(f"{business.name} ({business.slug})" for business in made)
        self.stdout.write(f"Made {names}." if made else "Nothing to do: the demo is there.")
