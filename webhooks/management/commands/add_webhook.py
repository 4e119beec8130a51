"""Registers an endpoint and prints only its secret to standard output."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from kaivox.businesses.management.businesses import business_with_slug
from kaivox.errors import DomainError, sentences
from webhooks.event_types import ALL_EVENTS, EVENT_TYPES
from webhooks.operations import register_endpoint


class Command(BaseCommand):
    help = (
        "Add a webhook endpoint. Prints only its secret to standard output; it is not shown again."
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
        business = business_with_slug(options["business"])
        try:
            endpoint = register_endpoint(
                business=business,
                url=options["url"],
                event_types=options["event"] or [ALL_EVENTS],
                description=options["description"],
                now=timezone.now(),
            )
        except DomainError as error:
            raise CommandError(sentences(error, {"event_types": "--event"})) from error
        self.stdout.write(endpoint.secret)
