"""`manage.py healthcheck worker|beat`: health check of a container or of systemd."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from kaivox import heartbeats


class Command(BaseCommand):
    help = "Exits with 1 unless the worker or beat of this machine has sent a heartbeat recently."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("process", choices=(heartbeats.WORKER, heartbeats.BEAT))
        parser.add_argument("--max-age", type=float, default=heartbeats.ALIVE_SECONDS, metavar="S")

    def handle(self, *, process: str, max_age: float, **options: Any) -> None:
        seconds = heartbeats.seconds_since_file(process)
        if seconds is None:
            raise CommandError(f"No heartbeat of {process} yet.")
        if seconds > max_age:
            raise CommandError(f"The last heartbeat of {process} was {seconds:.0f} s ago.")
        self.stdout.write(f"The last heartbeat of {process} was {seconds:.0f} s ago.")
