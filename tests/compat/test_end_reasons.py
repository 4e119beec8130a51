"""Every end reason in the enums of the voice providers' own SDKs has its row in the table.

The sources of the SDKs are read, not imported.
"""

from __future__ import annotations

import ast

import pytest

from calls.providers.end_reasons import is_known
from tests.compat.environments import is_installed, package_of, skip_reason

PROVIDER_SDKS = "provider-sdks"

pytestmark = [
    pytest.mark.once,
    pytest.mark.skipif(not is_installed(PROVIDER_SDKS), reason=skip_reason(PROVIDER_SDKS)),
]


def literals(node: ast.AST) -> set[str]:
    """Strings inside `Literal[…]` anywhere in `node`."""
    return {
        constant.value
        for part in ast.walk(node)
        if isinstance(part, ast.Subscript) and ast.unparse(part.value).endswith("Literal")
        for constant in ast.walk(part.slice)
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    }


class TestEndReasons:
    def test_every_vapi_reason_has_a_row(self):
        types = package_of(PROVIDER_SDKS, "vapi") / "types"
        names = ("server_message_end_of_call_report", "server_message_status_update")
        reasons = set()
        for name in names:
            reasons |= literals(ast.parse((types / f"{name}_ended_reason.py").read_text()))
        assert len(reasons) > 500
        assert {reason for reason in reasons if not is_known("vapi", reason)} == set()

    def test_every_retell_reason_has_a_row(self):
        reasons = set()
        for name in ("phone_call_response", "web_call_response"):
            tree = ast.parse(
                (package_of(PROVIDER_SDKS, "retell") / "types" / f"{name}.py").read_text()
            )
            for node in ast.walk(tree):
                named = isinstance(node, ast.AnnAssign) and ast.unparse(node.target)
                if named == "disconnection_reason":
                    reasons |= literals(node.annotation)
        assert len(reasons) > 30
        assert {reason for reason in reasons if not is_known("retell", reason)} == set()

    def test_every_twilio_status_has_a_row(self):
        source = (
            package_of(PROVIDER_SDKS, "twilio") / "rest/api/v2010/account/call/__init__.py"
        ).read_text()
        [status] = [
            node
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.ClassDef) and node.name == "Status"
        ]
        values = {
            node.value.value
            for node in status.body
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant)
        }
        assert len(values) >= 8
        assert {value for value in values if not is_known("twilio", value)} == set()
