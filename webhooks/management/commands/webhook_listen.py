"""Development receiver: prints each event and whether its signature is valid."""

from __future__ import annotations

import json
import random
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from webhooks import signing


class Command(BaseCommand):
    help = "Receive webhooks on this machine and print them. Stop with Ctrl-C."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1")
        parser.add_argument("--port", type=int, required=True)
        parser.add_argument("--secret", help="whsec_…: verify each request with it.")
        parser.add_argument(
            "--fail-rate",
            type=float,
            default=0.0,
            metavar="P",
            help="Share of requests that get a 500.",
        )
        parser.add_argument(
            "--status", type=int, default=200, help="Status of the other responses."
        )
        parser.add_argument(
            "--delay",
            type=float,
            default=0.0,
            metavar="S",
            help="Seconds to wait before responding.",
        )

    def handle(self, **options: Any) -> None:
        if not 0 <= options["fail_rate"] <= 1:
            raise CommandError("--fail-rate is a share from 0 to 1.")
        try:
            server = Listener((options["host"], options["port"]), self, options)
        except OSError as error:
            raise CommandError(
                f"Port {options['port']} cannot be used: {error.strerror}."
            ) from error
        shown = f"http://{options['host']}:{server.server_port}/"
        self.say(self.style.MIGRATE_HEADING(f"Listening on {shown}  (stop with Ctrl-C)"))
        if not options["secret"]:
            self.say("Without --secret nothing is verified.")
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            self.say("")
        finally:
            server.server_close()

    def say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()

    def show(self, headers: Any, body: bytes, *, secret: str | None, status: int) -> None:
        """Prints one event, with control characters escaped."""
        kind = str(headers.get("X-KaiVox-Event", "?"))
        where = f"delivery {headers.get('X-KaiVox-Delivery')}, attempt {headers.get('X-KaiVox-Attempt')}"
        self.say(
            f"{time.strftime('%H:%M:%S')} {self.style.MIGRATE_LABEL(kind)} "
            f"{headers.get('webhook-id')} {self._verdict(headers, body, secret)} "
            f"({where}) → {status}"
        )
        try:
            text = json.dumps(json.loads(body), indent=2, ensure_ascii=False)
        except ValueError:
            text = repr(body[:1000])
        self.say("".join(c if c.isprintable() or c == "\n" else repr(c)[1:-1] for c in text))

    def _verdict(self, headers: Any, body: bytes, secret: str | None) -> str:
        if secret is None:
            return self.style.WARNING("not verified")
        header = headers.get("X-KaiVox-Signature", "")
        if signing.verify(body, header, secret, now=time.time()):
            return self.style.SUCCESS("verified")
        return self.style.ERROR("WRONG SIGNATURE")


class Listener(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, address: tuple[str, int], command: Command, options: Any) -> None:
        self.command, self.options = command, options
        super().__init__(address, _Handler)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Listener

    def do_POST(self) -> None:
        options = self.server.options
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fails = random.random() < options["fail_rate"]  # noqa: S311 - no secret
        status = 500 if fails else options["status"]
        self.server.command.show(self.headers, body, secret=options["secret"], status=status)
        time.sleep(options["delay"])
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *args: Any) -> None:
        """Silent: the printed event is the log."""
