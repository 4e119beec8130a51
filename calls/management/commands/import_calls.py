"""manage.py import_calls --business SLUG FILE: calls of another system, one JSON object a line."""

from __future__ import annotations

import json
import re
import sys
from argparse import ArgumentParser
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, BinaryIO

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from calls.call_report import UnparsableMessage
from calls.models import MAX_PROVIDER, Provider
from calls.operations import ingest_call
from calls.providers.incoming import Incoming
from calls.providers.kaivox import report_of
from kaivox.businesses.management.businesses import business_with_slug
from kaivox.businesses.models import Business
from kaivox.db.outages import OUTAGES

_WIDTH = 30
_PROVIDER = re.compile(rf"[a-z0-9_-]{{1,{MAX_PROVIDER}}}", re.ASCII)


class Command(BaseCommand):
    help = (
        "Imports calls in the format of POST /voice/kaivox (docs/voice.md), one a line. A line may "
        "name another `provider`, also one of its own. A bad line is reported with its number and skipped. What is here "
        "already stays as it is: importing a file twice changes nothing."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--business", required=True, metavar="SLUG")
        parser.add_argument("file", metavar="FILE", help="JSON lines; - is standard input.")

    def handle(self, *args: Any, **options: Any) -> None:
        business = business_with_slug(options["business"])
        if options["file"] == "-":
            self._import(business, _lines("Standard input", sys.stdin.buffer), size=0)
            return
        path = Path(options["file"])
        with ExitStack() as stack:
            with _reported(path):
                file = stack.enter_context(path.open("rb"))
                size = path.stat().st_size
            self._import(business, _lines(path, file), size=size)

    def _import(self, business: Business, lines: Iterable[bytes], *, size: int) -> None:
        imported = skipped = 0
        for number, line in self._with_progress(lines, size):
            if not line.strip():
                continue
            try:
                _import_line(business, line)
            except OUTAGES as error:
                raise CommandError(f"The database is unavailable at line {number}.") from error
            except Exception as error:  # noqa: BLE001 - no error in one line stops the others
                skipped += 1
                reason = (
                    error
                    if isinstance(error, UnparsableMessage)
                    else f"{type(error).__name__}: {error}"
                )
                self.stderr.write(f"\rline {number}: {reason}")
            else:
                imported += 1
        summary = f"{imported} calls imported, {skipped} lines skipped."
        if skipped:
            raise CommandError(summary)
        self.stdout.write(summary)

    def _with_progress(self, lines: Iterable[bytes], size: int) -> Iterator[tuple[int, bytes]]:
        """Numbered lines; a bar on a terminal while they are read."""
        done, shown = 0, -1
        for number, line in enumerate(lines, start=1):
            yield number, line
            done += len(line)
            percent = 100 * done // size if size else 0
            if size and percent != shown and self.stderr.isatty():
                shown = percent
                bar = "#" * (_WIDTH * percent // 100)
                end = "\n" if percent == 100 else ""
                self.stderr.write(f"\r[{bar:<{_WIDTH}}] {percent} %, line {number}", ending=end)


@contextmanager
def _reported(name: object) -> Iterator[None]:
    """Raises CommandError where the file `name` cannot be read."""
    try:
        yield
    except OSError as error:
        raise CommandError(f"{name} cannot be read: {error.strerror}.") from error


def _lines(name: object, file: BinaryIO) -> Iterator[bytes]:
    """The lines of `file`. Raises CommandError where it cannot be read; what fails between two of them
    is no error of the file."""
    while True:
        with _reported(name):
            line = file.readline()
        if not line:
            return
        yield line


def _import_line(business: Business, line: bytes) -> None:
    """Raises UnparsableMessage."""
    payload = Incoming(line).json(bounded=True)
    provider = payload.pop("provider", None)
    if provider is None or provider == "":  # left out, as with every optional field
        provider = Provider.KAIVOX
    if not isinstance(provider, str) or not _PROVIDER.fullmatch(provider):
        known = ", ".join(Provider.values)
        raise UnparsableMessage(
            f"provider: {json.dumps(provider)[:40]}. Write one of {known}, or a name of your own: "
            f"at most {MAX_PROVIDER} lower-case letters, digits, _ and -."
        )
    report = report_of(payload)
    ingest_call(business=business, provider=provider, report=report, now=timezone.now())
