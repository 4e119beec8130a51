"""The TypeScript SDK in a page of another origin."""

from __future__ import annotations

import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.utils import timezone

from kaivox.businesses.operations import change_business
from tests import factories
from tests.sdks.typescript_sdk import compile_into

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]

USE = """
async ({ url, key, secret }) => {
  const { errors, KaiVox, signWebhook, verifyWebhook } = await import("/dist/index.js");
  const kaivox = new KaiVox({ apiKey: key, baseUrl: url });
  const { data } = await kaivox.slots.list({ service_id: SERVICE, limit: 1 });
  const made = await kaivox.customers.create({ name: "Asha Rao", email: "asha@example.com" });
  const error = await kaivox.customers.get(made.id + 1).catch((thrown) => thrown);
  const body = JSON.stringify({ id: "evt_1", type: "customer.created", data: made });
  const signed = { id: "evt_1", timestamp: Math.floor(Date.now() / 1000) };
  const event = await verifyWebhook(body, await signWebhook(body, secret, signed), secret);
  return [data.length, event.data.name, error instanceof errors.NotFound, error.requestId.length > 0];
}
"""


@pytest.fixture
def origin(tmp_path):
    """A site on another port that serves the compiled package."""
    package = compile_into(tmp_path)
    (package / "index.html").write_text("<!doctype html><title>Booking</title>")
    handler = partial(Quiet, directory=str(package))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        serving.join()


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_calls_the_api_of_a_business_that_allows_the_origin(
    browser, live_server, business, api_key, origin
):
    service = factories.make_service(business)
    factories.make_staff(business, services=[service], hours=("00:00-24:00",))
    change_business(business_id=business.pk, cors_origins=[origin], now=timezone.now())
    context = browser.new_context()
    try:
        page = context.new_page()
        page.goto(origin)
        secret = "whsec_" + "A" * 44
        arguments = {"url": live_server.url, "key": api_key, "secret": secret}
        used = page.evaluate(USE.replace("SERVICE", str(service.pk)), arguments)
    finally:
        context.close()
    assert used == [1, "Asha Rao", True, True]
