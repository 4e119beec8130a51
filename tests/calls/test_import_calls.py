from __future__ import annotations

import errno
import io
import json
import re
import sys
from types import SimpleNamespace

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError

from calls.management.commands import import_calls
from calls.models import Call
from customers.models import Customer
from kaivox.errors import Unavailable
from tests.calls.providers import sample
from webhooks.models import Event


@pytest.fixture
def file(tmp_path):
    """Three calls, and four lines that are none."""
    payload = json.loads(sample("kaivox_completed.json")[0])
    lines = [
        json.dumps(payload),
        "",
        json.dumps(payload | {"call_id": "2", "provider": "twilio"}),
        "{broken",
        json.dumps(payload | {"call_id": "3", "from_number": None, "status": "missed"}),
        json.dumps(payload | {"call_id": "4", "duration_seconds": -1}),
        json.dumps(payload | {"call_id": "5", "provider": "Zoom 5"}),
    ]
    path = tmp_path / "calls.jsonl"
    path.write_text("\n".join(lines))
    return path


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestImportCalls:
    def test_reports_bad_lines_by_number_and_takes_the_rest(self, business, file, capsys):
        with pytest.raises(CommandError, match=r"3 calls imported, 3 lines skipped\.") as failure:
            call_command("import_calls", str(file), business=business.slug)
        assert failure.value.returncode == 1
        said = capsys.readouterr()
        assert re.findall(r"line (\d+): ", said.err) == ["4", "6", "7"]
        assert set(Call.objects.values_list("provider", flat=True)) == {"kaivox", "twilio"}

    @pytest.mark.parametrize("error", (OperationalError("no connection"), Unavailable()))
    def test_stops_where_the_database_is_unavailable(self, business, file, monkeypatch, error):
        def ingest_call(**_):
            raise error

        monkeypatch.setattr(f"{import_calls.__name__}.ingest_call", ingest_call)
        with pytest.raises(CommandError, match="unavailable at line 1"):
            call_command("import_calls", str(file), business=business.slug)

    @pytest.mark.parametrize("provider", (None, ""))
    def test_an_empty_provider_is_left_out(self, business, tmp_path, provider):
        path = tmp_path / "calls.jsonl"
        path.write_text(json.dumps({"call_id": "1", "status": "missed", "provider": provider}))
        call_command("import_calls", str(path), business=business.slug)
        assert Call.objects.get().provider == "kaivox"

    def test_changes_nothing_the_second_time(self, business, file):
        def state():
            return (
                list(Call.objects.order_by("pk").values()),
                Customer.objects.count(),
                Event.objects.count(),
            )

        first = None
        for _ in range(2):
            with pytest.raises(CommandError, match="3 calls imported"):
                call_command("import_calls", str(file), business=business.slug)
            first = first or state()
        assert state() == first

    def test_reads_its_standard_input(self, business, file, monkeypatch, capsys):
        with file.open() as lines:
            monkeypatch.setattr(sys, "stdin", lines)
            with pytest.raises(CommandError, match="3 calls imported"):
                call_command("import_calls", "-", business=business.slug)

    @pytest.mark.parametrize(
        "line",
        (
            {"from_number": "+81" + "9" * 17},
            {"from_number": "0000000000"},
            {"from_number": f"sip:{'a' * 150}@example.com"},
            {"caller_name": "x" * 200},
            {"end_reason": "x" * 100, "recording_url": f"https://a.example/{'x' * 1900}"},
            {"from_number": "client:alice", "direction": "outbound", "to_number": "client:bob"},
        ),
    )
    def test_takes_odd_callers_without_an_error(self, business, tmp_path, capsys, line):
        payload = json.loads(sample("kaivox_completed.json")[0]) | line
        path = tmp_path / "calls.jsonl"
        path.write_text(json.dumps(payload))
        call_command("import_calls", str(path), business=business.slug)
        assert "1 calls imported, 0 lines skipped." in capsys.readouterr().out

    def test_takes_calls_of_a_source_of_its_own(self, client, business, tmp_path):
        payload = json.loads(sample("kaivox_completed.json")[0]) | {"provider": "old-crm"}
        path = tmp_path / "calls.jsonl"
        path.write_text(json.dumps(payload))
        call_command("import_calls", str(path), business=business.slug)
        [call] = client.get("/api/v1/calls?provider_call_id=eng-1").json()["data"]
        assert call["provider"] == "old-crm"

    @pytest.mark.parametrize("name", ("Old CRM", "x" * 13, "é"))
    def test_names_the_providers_where_it_takes_none(self, business, tmp_path, name, capsys):
        payload = json.loads(sample("kaivox_completed.json")[0]) | {"provider": name}
        path = tmp_path / "calls.jsonl"
        path.write_text(json.dumps(payload))
        with pytest.raises(CommandError):
            call_command("import_calls", str(path), business=business.slug)
        assert "Write one of kaivox, twilio, vobiz, vapi, retell" in capsys.readouterr().err

    @pytest.mark.parametrize(
        "line",
        (
            b"\xff\xfe",
            b"[" * 100_000,
            b"9" * 5_000,
            b'{"call_id": 1e999}',
            b'{"provider": ["kaivox"]}',
            b'{"provider": 0, "call_id": "a", "status": "completed"}',
            b'{"call_id": "a", "status": {"a": 1}}',
            b'{"call_id": "a", "status": "completed", "sentiment_score": NaN, "sentiment": "neutral"}',
            b'{"call_id": "a", "status": "completed", "started_at": "0001-01-01T00:00:00+14:00"}',
        ),
    )
    def test_reports_any_bad_line(self, business, tmp_path, capsys, line):
        good = sample("kaivox_completed.json")[0].replace(b"\n", b"")
        path = tmp_path / "calls.jsonl"
        path.write_bytes(line + b"\n" + good)
        with pytest.raises(CommandError, match="1 calls imported, 1 lines skipped"):
            call_command("import_calls", str(path), business=business.slug)
        assert "line 1: " in capsys.readouterr().err

    def test_goes_on_after_an_error_of_ours(self, business, tmp_path, monkeypatch, capsys):
        from calls.management.commands import import_calls

        def fail_once(payload):
            monkeypatch.undo()
            raise KeyError("ours")

        monkeypatch.setattr(import_calls, "report_of", fail_once)
        good = sample("kaivox_completed.json")[0].replace(b"\n", b"")
        path = tmp_path / "calls.jsonl"
        path.write_bytes(good + b"\n" + good)
        with pytest.raises(CommandError, match="1 calls imported, 1 lines skipped"):
            call_command("import_calls", str(path), business=business.slug)
        assert "line 1: KeyError: 'ours'" in capsys.readouterr().err

    def test_shows_on_a_terminal_how_far_it_is(self, business, file):
        terminal = Terminal()
        with pytest.raises(CommandError, match="3 lines skipped"):
            call_command("import_calls", str(file), business=business.slug, stderr=terminal)
        shown = terminal.getvalue()
        assert re.findall(r"(\d+) %", shown)[-1] == "100"
        assert shown.endswith("] 100 %, line 7\n")

    def test_an_error_of_the_terminal_is_none_of_the_file(self, business, file):
        class Full(Terminal):
            def write(self, text: str) -> int:
                raise OSError(errno.ENOSPC, "No space left on device")

        with pytest.raises(OSError, match="No space left"):
            call_command("import_calls", str(file), business=business.slug, stderr=Full())

    def test_says_where_reading_fails(self, business, tmp_path, monkeypatch):
        class Broken(io.BytesIO):
            def readline(self, size=-1):
                raise OSError(errno.EIO, "Input/output error")

        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=Broken()))
        with pytest.raises(CommandError, match=r"Standard input cannot be read: Input/output"):
            call_command("import_calls", "-", business=business.slug)
        with pytest.raises(CommandError, match="cannot be read: Is a directory"):
            call_command("import_calls", str(tmp_path), business=business.slug)

    def test_says_what_is_not_there(self, business, tmp_path):
        with pytest.raises(CommandError, match="no business"):
            call_command("import_calls", "x", business="unknown")
        with pytest.raises(CommandError, match="cannot be read"):
            call_command("import_calls", str(tmp_path / "none"), business=business.slug)
