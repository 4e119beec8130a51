"""Both editions of the OpenAPI document as files, for tools that read files."""

from __future__ import annotations

from pathlib import Path

from kaivox.api.encoders import encode
from kaivox.api.openapi.version_3_0 import to_openapi_3_0
from kaivox.pages.openapi_document import document

VERSIONS = ("3.0", "3.1")


def write(folder: Path, version: str) -> Path:
    """The document of this version of OpenAPI, written to `folder`."""
    file = folder / f"openapi-{version}.json"
    made = document() if version == "3.1" else to_openapi_3_0(document())
    file.write_bytes(encode(made))
    return file
