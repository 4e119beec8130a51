"""Receives webhooks on port 9000 and prints what happened."""

import os
from http.server import BaseHTTPRequestHandler, HTTPServer

from kaivox import WebhookVerificationError, verify_webhook
from kaivox.events import AppointmentBookedEvent, CallMissedEvent

SECRET = os.environ["KAIVOX_WEBHOOK_SECRET"]


class Receiver(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            event = verify_webhook(body, self.headers, SECRET)
        except WebhookVerificationError:
            self.send_response(400)
        else:
            if isinstance(event, AppointmentBookedEvent):
                print("booked:", event.data.service, event.data.start_time, flush=True)
            elif isinstance(event, CallMissedEvent):
                print("missed call from", event.data.from_number, flush=True)
            self.send_response(204)
        self.end_headers()


HTTPServer(("127.0.0.1", int(os.environ.get("PORT", "9000"))), Receiver).serve_forever()
