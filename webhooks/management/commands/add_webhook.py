"""Registers an endpoint and prints its secret, alone, on standard output."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kaivox.businesses.models import Business
from kaivox.errors import DomainError
from webhooks.event_types import EVENT_TYPES, EVERYTHING
from webhooks.operations import register_endpoint


class Command(BaseCommand):
    help = (
        "Add a webhook endpoint. The secret alone goes to standard output; it is shown this once."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--business", required=True, metavar="SLUG")
        parser.add_argument("--url", required=True)
        parser.add_argument(
            "--event",
            action="append",
            metavar="TYPE",
            help=f"May be repeated; default all: {', '.join(EVENT_TYPES)}",
        )
        parser.add_argument("--description", default="")

    def handle(self, **options: Any) -> None:
        business = Business.objects.filter(slug=options["business"]).first()
        if business is None:
            raise CommandError(f"There is no business {options['business']!r}.")
        try:
            endpoint = register_endpoint(
                business=business,
                url=options["url"],
                event_types=options["event"] or [EVERYTHING],
                description=options["description"],
            )
        except DomainError as refusal:
            said = [sentence for field in refusal.errors.values() for sentence in field]
            raise CommandError(" ".join(said) or refusal.message) from refusal
        self.stdout.write(endpoint.secret)
