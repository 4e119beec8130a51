"""manage.py erase_customer --business SLUG ID: forgets one person, keeps the counts."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand
from django.utils import timezone

from calls.management.commands import _person
from calls.privacy import erase_customer


class Command(BaseCommand):
    help = (
        "Erases name, phone, e-mail and transcripts of one customer everywhere. Cannot be undone."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        _person.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        business = _person.find_business(options)
        customer_id = options["customer_id"]
        erase_customer(business=business, customer_id=customer_id, now=timezone.now())
        self.stdout.write(f"Customer {customer_id} of {business.name} is erased.")
