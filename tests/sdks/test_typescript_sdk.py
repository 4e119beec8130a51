"""The TypeScript SDK: its generated files, its own tests, and programs that use it against a server."""

from __future__ import annotations

import base64
import json
import re
import shutil
import sys
from pathlib import Path

import pytest
from django.utils import timezone
from standardwebhooks import Webhook

from services.models import Service
from tests import factories, npm
from tests.sdks.typescript_sdk import FOLDER, compile_into, run

pytestmark = pytest.mark.once

DOCS = FOLDER.parent.parent / "docs" / "typescript.md"
PROGRAM = Path(__file__).parent / "use_typescript_sdk.ts"
EXAMPLES = sorted(path.name for path in (FOLDER / "examples").iterdir())


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    return compile_into(tmp_path_factory.mktemp("sdk"))


@pytest.fixture
def variables(live_server, business, api_key):
    """A business with a service that can be booked round the clock and 105 customers."""
    service = factories.make_service(business, name="Cleaning")
    factories.make_staff(business, services=[service], hours=("00:00-24:00",))
    for number in range(105):
        factories.make_customer(business, name=f"Customer {number}")
    return {"KAIVOX_URL": live_server.url, "KAIVOX_API_KEY": api_key}


def test_generated_files_are_current():
    run(FOLDER, sys.executable, "generate.py", "--check")


def test_has_no_run_time_dependencies():
    described = json.loads((FOLDER / "package.json").read_text())
    assert "dependencies" not in described
    [compiler] = (name for name in npm.PACKAGES if name.startswith("typescript@"))
    assert f"typescript@{described['devDependencies']['typescript']}" == compiler


def test_its_own_tests_pass(package):
    run(package, "node", "--test", *sorted(str(path) for path in package.glob("tests/*.test.mjs")))


def test_the_package_contains_what_is_imported(package, tmp_path):
    [packed] = json.loads(run(package, "npm", "pack", "--json", "--pack-destination", tmp_path))
    names = {file["path"] for file in packed["files"]}
    assert {"package.json", "README.md", "LICENSE", "dist/index.js", "dist/index.d.ts"} <= names
    assert {"dist/generated/models.d.ts", "dist/generated/resources.js"} <= names
    assert not any(name.startswith(("src/", "tests/", "node_modules/")) for name in names)


def test_verifies_what_a_standard_library_signs(package):
    secret = "whsec_" + base64.b64encode(bytes(range(32))).decode()
    body = '{"id":"evt_1","type":"customer.created","data":{"name":"Élodie"}}'
    now = timezone.now()
    headers = {
        "Webhook-Id": "evt_1",
        "Webhook-Timestamp": str(int(now.timestamp())),
        "Webhook-Signature": Webhook(secret).sign("evt_1", now, body),
    }
    (package / "verify.mjs").write_text(
        'import { verifyWebhook } from "kaivox";\n'
        f"const verify = [{json.dumps(body)}, {json.dumps(headers)}, {json.dumps(secret)}];\n"
        "console.log((await verifyWebhook(...verify)).type);\n"
    )
    assert run(package, "node", "verify.mjs") == "customer.created\n"


@pytest.mark.django_db(transaction=True)
class TestAgainstServer:
    def test_uses_every_resource(self, package, variables):
        shutil.copy(PROGRAM, package / "use.ts")
        compiler = package / "node_modules" / ".bin" / "tsc"
        options = ["--strict", "--target", "ES2022", "--module", "NodeNext", "--skipLibCheck"]
        run(package, compiler, *options, "use.ts")
        url = "http://127.0.0.1:9/hook"
        assert run(package, "node", "use.js", url, **variables) == "used\n"

    def test_documented_program_books(self, package, variables):
        program = re.search(r"```ts\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)[1]
        Service.objects.update(name="Check-up")  # as in the demo, which a reader has
        (package / "documented.mjs").write_text(program)
        assert run(package, "node", "documented.mjs", **variables).startswith(
            "booked: Check-up with "
        )

    @pytest.mark.parametrize("example", [name for name in EXAMPLES if name != "receive.mjs"])
    def test_examples_run_as_printed(self, package, variables, tmp_path, example):
        state = str(tmp_path / "state.json")
        printed = run(package, "node", f"examples/{example}", STATE_FILE=state, **variables)
        assert printed
        assert variables["KAIVOX_API_KEY"] not in printed
