from __future__ import annotations

import ssl
import subprocess

import pytest

from tests.webhooks.receivers import running_receiver
from webhooks.dispatcher import Dispatcher


@pytest.fixture
def receiver(settings):
    """A receiver on loopback, with private addresses allowed."""
    settings.WEBHOOK_ALLOW_PRIVATE = True
    settings.WEBHOOK_HTTPS_ONLY = False
    settings.WEBHOOK_PORTS = []
    with running_receiver() as receiver:
        yield receiver


@pytest.fixture
def deliver():
    """Sends due deliveries as a worker does; `deliver(at)` with the clock at that instant."""

    def run(at=None):
        (Dispatcher(lambda: at) if at is not None else Dispatcher()).run()

    return run


@pytest.fixture(scope="session")
def tls_context(tmp_path_factory):
    """A TLS server context with a self-signed certificate for localhost, and the certificate's file."""
    folder = tmp_path_factory.mktemp("certificate")
    key, certificate = folder / "key.pem", folder / "cert.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
         "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost",
         "-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )  # fmt: skip
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context, str(certificate)


@pytest.fixture
def https(tls_context):
    """A receiver with that certificate: (port, certificate file, receiver)."""
    context, certificate = tls_context
    with running_receiver() as receiver:
        receiver.socket = context.wrap_socket(receiver.socket, server_side=True)
        yield receiver.server_port, certificate, receiver
