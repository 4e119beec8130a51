from __future__ import annotations

import io
import json
import re
import sys

import pytest
from django.core.management import CommandError, call_command

from calls.models import Call
from customers.models import Customer
from tests.calls.providers import sample
from webhooks.models import Event


@pytest.fixture
def file(tmp_path):
    """Three calls, and four lines that are none."""
    told = json.loads(sample("kaivox_completed.json")[0])
    lines = [
        json.dumps(told),
        "",
        json.dumps(told | {"call_id": "2", "provider": "twilio"}),
        "{broken",
        json.dumps(told | {"call_id": "3", "from_number": None, "status": "missed"}),
        json.dumps(told | {"call_id": "4", "duration_seconds": -1}),
        json.dumps(told | {"call_id": "5", "provider": "zoom"}),
    ]
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(lines))
    return path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestImportCalls:
    def test_reports_bad_lines_by_number_and_takes_the_rest(self, business, file, capsys):
        call_command("import_calls", str(file), business=business.slug)
        said = capsys.readouterr()
        assert "3 calls imported, 3 lines skipped." in said.out
        assert re.findall(r"line (\d+): ", said.err) == ["4", "6", "7"]
        assert set(Call.objects.values_list("provider", flat=True)) == {"kaivox", "twilio"}

    def test_changes_nothing_the_second_time(self, business, file):
        def state():
            return (
                list(Call.objects.order_by("pk").values()),
                Customer.objects.count(),
                Event.objects.count(),
            )

        call_command("import_calls", str(file), business=business.slug)
        first = state()
        call_command("import_calls", str(file), business=business.slug)
        assert state() == first

    def test_reads_its_standard_input(self, business, file, monkeypatch, capsys):
        with file.open() as lines:
            monkeypatch.setattr(sys, "stdin", lines)
            call_command("import_calls", "-", business=business.slug)
        assert "3 calls imported" in capsys.readouterr().out

    def test_shows_on_a_terminal_how_far_it_is(self, business, file):
        terminal = Terminal()
        call_command("import_calls", str(file), business=business.slug, stderr=terminal)
        shown = terminal.getvalue()
        assert re.findall(r"(\d+) %", shown)[-1] == "100"
        assert shown.endswith("] 100 %, line 7\n")

    def test_says_what_is_not_there(self, business, tmp_path):
        with pytest.raises(CommandError, match="no business"):
            call_command("import_calls", "x", business="nobody")
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("import_calls", str(tmp_path / "none"), business=business.slug)
