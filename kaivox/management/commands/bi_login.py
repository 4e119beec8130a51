"""manage.py bi_login --business SLUG: a read-only PostgreSQL login of one business, for BI tools."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from kaivox.businesses.management.businesses import business_with_slug
from kaivox.reporting import logins


class Command(BaseCommand):
    help = (
        "Create a PostgreSQL login that reads the views of one business. Only its URL is written to "
        "standard output; the password is shown once. Run again for a new password."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--business", required=True, metavar="SLUG")
        parser.add_argument(
            "--timeout", type=int, default=logins.DEFAULT_TIMEOUT_SECONDS, metavar="SECONDS",
            help="Limit for each statement (default: %(default)s).",
        )  # fmt: skip
        parser.add_argument(
            "--revoke", action="store_true", help="End its sessions; drop the login and its views."
        )

    def handle(self, **options: Any) -> None:
        business = business_with_slug(options["business"])
        if not 1 <= options["timeout"] <= 3600:
            raise CommandError("--timeout: between 1 and 3600 seconds.")
        now = timezone.now()
        try:
            if options["revoke"]:
                ended = logins.revoke_login(business=business, now=now)
                self.stdout.write(f"Revoked; open sessions that were ended: {ended}.")
            else:
                seconds = options["timeout"]
                url = logins.issue_login(business=business, now=now, timeout_seconds=seconds)
                self.stdout.write(url)
        except logins.LoginsUnavailable as error:
            raise CommandError(str(error)) from error
