"""The Python SDK: its own tests, its generated files, and a program that uses it against a server."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import factories
from tests.sdks import python_sdk

pytestmark = pytest.mark.once

PROGRAM = Path(__file__).parent / "use_python_sdk.py"


def test_generated_files_are_current():
    done = python_sdk.run("generate.py", "--check")
    assert done.returncode == 0, done.stderr


def test_its_own_tests_pass():
    plugins = ("-p", "no:django", "-p", "no:randomly", "-p", "no:cacheprovider")
    done = python_sdk.run("-m", "pytest", "-q", *plugins)
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.fixture
def clinic(business):
    """A service that can be booked round the clock, and 105 customers."""
    service = factories.make_service(business, name="Cleaning")
    factories.make_staff(business, services=[service], hours=("00:00-24:00",))
    for number in range(105):
        factories.make_customer(business, name=f"Customer {number}")
    return business


DOCS = python_sdk.FOLDER.parent.parent / "docs" / "sdks.md"
# All but the last, which ends never.
DOCUMENTED = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.S)[:-1]


def test_the_docs_name_every_resource():
    source = (python_sdk.FOLDER / "src/kaivox/_generated/resources.py").read_text(encoding="utf-8")
    resources = re.findall(r"def (\w+)\(self\) -> (?!Async)\w+Resource:", source)
    assert len(resources) > 15
    table = DOCS.read_text(encoding="utf-8").partition("| Endpoint |")[2].partition("\n\n")[0]
    named = {name.partition(".")[0] for name in re.findall(r"`([a-z]+)[`.]", table)}
    assert set(resources) <= named


@pytest.mark.django_db(transaction=True)
class TestAgainstServer:
    def test_uses_every_resource(self, live_server, clinic, api_key):
        done = python_sdk.run(
            PROGRAM, "http://127.0.0.1:9/hook", KAIVOX_URL=live_server.url, KAIVOX_API_KEY=api_key
        )
        assert (done.returncode, done.stdout) == (0, "used\n"), done.stderr[-3000:]

    @pytest.mark.parametrize("example", ("book.py", "sync_async.py"))
    def test_examples_run_as_printed(self, live_server, clinic, api_key, example):
        done = python_sdk.run(
            f"examples/{example}", KAIVOX_URL=live_server.url, KAIVOX_API_KEY=api_key
        )
        assert done.returncode == 0, done.stderr[-3000:]
        assert done.stdout
        assert api_key not in done.stdout + done.stderr

    def test_programs_of_the_docs_run_as_printed(self, live_server, clinic, api_key):
        assert len(DOCUMENTED) > 3
        # One process: each program has a module of its own.
        program = "for text in PROGRAMS: exec(compile(text, 'docs', 'exec'), {'__name__': 'docs'})"
        done = python_sdk.run(
            "-c", f"PROGRAMS = {DOCUMENTED!r}\n{program}",
            KAIVOX_URL=live_server.url, KAIVOX_API_KEY=api_key,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-3000:]
        assert "booked: Cleaning" in done.stdout
