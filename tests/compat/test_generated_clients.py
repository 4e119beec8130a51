"""Clients that widespread generators make from the OpenAPI document: each is compiled and then used by a
program in its language (tests/compat/clients), which lists, creates, books and decodes errors."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests import factories
from tests.compat import documents
from tests.compat.environments import (
    DOCUMENT_TOOLS,
    FOLDER,
    OPENAPI_GENERATOR,
    document_tool,
    node_modules_of,
    package_of,
    python_of,
    require,
    require_debian,
)

PROGRAMS = Path(__file__).parent / "clients"
GENERATORS = ("go", "php", "python", "ruby", "typescript-fetch")
TYPESCRIPT = {
    "strict": True,
    "module": "commonjs",
    "moduleResolution": "node10",
    "target": "es2022",
    "lib": ["es2022", "dom", "dom.iterable"],
    "types": [],
}

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.once]


def run(*command, **options):
    """What the command prints; the test fails with its message where it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=200, check=False, **options
    )
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """Folder with a client of each of GENERATORS, from the 3.0 edition."""
    require(OPENAPI_GENERATOR)
    require_debian("default-jre-headless")
    folder = tmp_path_factory.mktemp("generated")
    document = documents.write(folder, "3.0")
    for name in GENERATORS:
        settings = {"generatorName": name, "inputSpec": str(document), "outputDir": name}
        (folder / f"{name}.json").write_text(json.dumps(settings))
    [jar] = package_of(OPENAPI_GENERATOR, "openapi_generator_cli").glob("*.jar")
    configurations = [f"{name}.json" for name in GENERATORS]
    run("java", "-jar", jar, "batch", "--fail-fast", "--threads", "2", *configurations, cwd=folder)
    return folder


@pytest.fixture
def arguments(live_server):
    """Base URL and key of a business with one service that can be booked at any time."""
    business = factories.make_business(slug="compat")
    service = factories.make_service(business, name="Cleaning")
    factories.make_staff(business, services=[service], hours=["00:00-24:00"])
    return live_server.url, factories.make_key(business)


def check(printed):
    assert json.loads(printed) == {
        "before": 0,
        "listed": True,
        "made": ["Asha Rao", "+919876543210", "lead", {"crm": "C-1"}, None],
        "booked": ["scheduled", "1200.00", True],
        "missing": {"status": 404, "code": "not_found", "fields": []},
        "invalid": {"status": 422, "code": "validation_error", "fields": ["email", "phone"]},
    }


class TestOpenApiGenerator:
    def test_python(self, generated, arguments):
        environment = {**os.environ, "PYTHONPATH": str(generated / "python")}
        program = PROGRAMS / "openapi_generator.py"
        check(run(python_of(OPENAPI_GENERATOR), program, *arguments, env=environment))

    def test_go(self, generated, arguments, tmp_path):
        require_debian("golang-go")
        # The client needs the standard library alone.
        environment = {
            **os.environ,
            "GOFLAGS": "-mod=mod",
            "GOPROXY": "off",
            "GOTOOLCHAIN": "local",
        }
        environment["GOCACHE"] = str(FOLDER / "go-cache")
        client = generated / "go"
        shutil.rmtree(client / "test")  # needs testify
        module = (client / "go.mod").read_text().split()[1]
        (tmp_path / "go.mod").write_text(
            f"module use\n\ngo 1.18\n\nrequire {module} v0.0.0\nreplace {module} => {client}\n"
        )
        shutil.copy(PROGRAMS / "openapi_generator.go", tmp_path / "main.go")
        run("go", "vet", ".", cwd=client, env=environment)
        run("go", "build", "-o", "use", ".", cwd=tmp_path, env=environment)
        check(run(tmp_path / "use", *arguments))

    def test_php(self, generated, arguments):
        require_debian("php-cli php-curl php-mbstring php-guzzlehttp-guzzle")
        check(run("php", PROGRAMS / "openapi_generator.php", *arguments, generated / "php"))

    def test_ruby(self, generated, arguments):
        require_debian("ruby ruby-typhoeus")
        check(
            run(
                "ruby",
                "-I",
                generated / "ruby" / "lib",
                PROGRAMS / "openapi_generator.rb",
                *arguments,
            )
        )

    def test_typescript(self, generated, arguments, tmp_path):
        shutil.copytree(generated / "typescript-fetch", tmp_path / "client")
        check(compiled_and_run(tmp_path, "openapi_generator.ts", *arguments))


class TestHeyApi:
    def test_typescript(self, arguments, tmp_path):
        document = documents.write(tmp_path, "3.1")
        run(document_tool("openapi-ts"), "-i", document, "-o", tmp_path / "client", cwd=tmp_path)
        check(compiled_and_run(tmp_path, "hey_api.ts", *arguments))


def compiled_and_run(folder, program, *arguments):
    """What a TypeScript program prints that imports `./client`."""
    compiler = document_tool("tsc")
    (folder / "node_modules").symlink_to(node_modules_of(DOCUMENT_TOOLS))
    settings = {"compilerOptions": {**TYPESCRIPT, "outDir": "built"}, "files": ["use.ts"]}
    (folder / "tsconfig.json").write_text(json.dumps(settings))
    shutil.copy(PROGRAMS / program, folder / "use.ts")
    run(compiler, "--project", ".", cwd=folder)
    return run("node", "built/use.js", *arguments, cwd=folder)
