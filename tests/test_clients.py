"""Clients generated from openapi.json: the Python client is run against a server, the TypeScript
client is compiled with a program that uses it (tests/clients/use.ts)."""

from __future__ import annotations

import importlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests import factories, npm
from tests.documented import DOCUMENT

pytestmark = pytest.mark.once


@pytest.fixture(scope="module")
def kaivox_client(tmp_path_factory):
    """Imports a module of the package that openapi-python-client generates."""
    tools, folder = Path(sys.executable).parent, tmp_path_factory.mktemp("client")
    done = subprocess.run(
        [
            tools / "openapi-python-client", "generate", "--path", DOCUMENT, "--meta", "none",
            "--output-path", folder / "kaivox_client",
        ],
        env={**os.environ, "PATH": f"{tools}:{os.environ['PATH']}"},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning" not in done.stdout, done.stdout
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield lambda name: importlib.import_module(f"kaivox_client.{name}")


@pytest.mark.django_db(transaction=True)
class TestPythonClient:
    def test_books_an_appointment(self, kaivox_client, live_server, business, api_key):
        service = factories.make_service(business)
        factories.make_staff(business, services=[service], hours=["00:00-24:00"])
        models = kaivox_client("models")
        client = kaivox_client("client").AuthenticatedClient(
            base_url=live_server.url, token=api_key
        )

        made = kaivox_client("api.customers.create_customer").sync(
            client=client, body=models.CustomerCreate(name="Asha Rao", phone="+919876543210")
        )
        assert made.data.phone == "+919876543210"

        slots = kaivox_client("api.appointments.list_slots").sync(
            client=client, service_id=service.pk
        )
        first = (slots.data or [slots.meta.next_available])[0]
        booked = kaivox_client("api.appointments.create_appointment").sync_detailed(
            client=client,
            idempotency_key="k-1",
            body=models.AppointmentCreate(
                customer_id=made.data.id, service_id=service.pk, start_time=first.start_time
            ),
        )
        assert booked.status_code == 201
        appointment = booked.parsed.data
        assert (appointment.status, appointment.price) == ("scheduled", "1200.00")

        listed = kaivox_client("api.appointments.list_appointments").sync(
            client=client, status="scheduled", customer_id=made.data.id, per_page=5
        )
        assert [row.id for row in listed.data] == [appointment.id]
        assert listed.meta.total == 1

    def test_parses_errors(self, kaivox_client, live_server, api_key, business):
        client = kaivox_client("client").AuthenticatedClient(
            base_url=live_server.url, token=api_key
        )
        missing = kaivox_client("api.customers.get_customer").sync(client=client, id=999_999)
        assert (missing.success, missing.code) == (False, "not_found")
        invalid = kaivox_client("api.customers.create_customer").sync(
            client=client, body=kaivox_client("models").CustomerCreate(name=" ")
        )
        assert invalid.code == "validation_error"
        assert list(invalid.errors.additional_properties) == ["name"]


class TestTypeScriptClient:
    @pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")
    @pytest.mark.timeout(300)
    def test_compiles(self, tmp_path):
        tools = npm.node_modules() / ".bin"
        shutil.copy(Path(__file__).parent / "clients" / "use.ts", tmp_path)
        (tmp_path / "node_modules").symlink_to(tools.parent)
        for command in (
            [tools / "openapi-typescript", DOCUMENT, "-o", "api.d.ts"],
            [
                tools / "tsc", "--noEmit", "--strict", "--module", "nodenext", "--target", "es2022",
                "--skipLibCheck", "use.ts",
            ],
        ):  # fmt: skip
            done = subprocess.run(
                command, cwd=tmp_path, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stdout + done.stderr
