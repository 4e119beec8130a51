"""The definitions of tools fit the types in the SDKs of those who take them, without a field that
these do not know."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

from kaivox.agents.definitions import definitions
from kaivox.agents.tools import TOOLS
from tests import factories
from tests.compat.environments import is_installed, python_of, skip_reason

PROVIDER_SDKS = "provider-sdks"
PROVIDERS = ("vapi", "retell", "elevenlabs", "openai", "anthropic")

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.once,
    pytest.mark.skipif(not is_installed(PROVIDER_SDKS), reason=skip_reason(PROVIDER_SDKS)),
]


class TestDefinitions:
    def test_fit_the_types_of_the_sdks(self):
        business = factories.make_business()
        tools = list(TOOLS.values())
        sent = {provider: definitions(provider, business, tools) for provider in PROVIDERS}
        # A field that no type has: the check itself works.
        sent["vapi"].append({**sent["vapi"][0], "secret": "x"})
        done = subprocess.run(
            [python_of(PROVIDER_SDKS), Path(__file__).parent / "clients" / "tool_definitions.py"],
            input=json.dumps(sent),
            capture_output=True,
            text=True,
            timeout=90,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        errors = json.loads(done.stdout)
        [found] = errors.pop("vapi")
        assert "unknown .secret" in found
        assert errors == {provider: [] for provider in PROVIDERS[1:]}
