"""The Python SDK as it is installed, with the oldest dependencies that it declares."""

from __future__ import annotations

import subprocess

import pytest

from tests.compat.environments import is_installed, python_of, skip_reason
from tests.sdks import python_sdk

NAME = "python-sdk"

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not is_installed(NAME), reason=skip_reason(NAME)),
]


def run(*command):
    environment = python_sdk.environment()
    del environment["PYTHONPATH"]  # the package is found because it is installed
    done = subprocess.run(
        command, cwd=python_sdk.FOLDER, env=environment, capture_output=True, text=True,
        timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr
    return done.stdout


def test_its_own_tests_pass():
    # Old versions of dependencies warn about each other.
    run(python_of(NAME), "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "default")


def test_the_command_is_installed():
    assert run(python_of(NAME).with_name("kaivox"), "--version").startswith("kaivox 1.")
