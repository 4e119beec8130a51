"""The commands, with a server of canned responses."""

from __future__ import annotations

import json
import stat

import httpx
import pytest
from conftest import KEY, TEST_KEY
from typer.testing import CliRunner

from kaivox import KaiVox, KaiVoxError, verify_webhook
from kaivox.cli import config, triggers
from kaivox.cli.app import _follow, app
from kaivox.cli.forwarding import Forwarder
from kaivox.cli.output import cell, printable
from kaivox.webhooks import new_secret

BUSINESS = {"id": 7, "name": "Smile\x1b[31m Dental", "livemode": True}
CUSTOMER = {
    "id": 1, "name": "Asha [bold]Rao", "phone": "+919876543210", "email": None, "segment": "vip",
    "total_appointments": 11,
}  # fmt: skip


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    monkeypatch.setenv("KAIVOX_CONFIG", str(tmp_path / "kaivox" / "config.json"))
    return tmp_path / "kaivox" / "config.json"


@pytest.fixture
def run(server, monkeypatch):
    """Runs a command whose clients reach the server of canned responses."""
    plain = KaiVox.__init__

    def init(self, *arguments, **options):
        transport = httpx.MockTransport(server.respond)
        plain(self, *arguments, **options, http_client=httpx.Client(transport=transport))

    monkeypatch.setattr(KaiVox, "__init__", init)
    return lambda *words, text=None: CliRunner().invoke(app, words, input=text)


class TestLogin:
    def test_checks_the_key_and_stores_it_for_its_owner_alone(self, run, server, file):
        server.add(BUSINESS)
        done = run("login", "--url", "https://api.example", text=f"{KEY}\n")
        assert done.exit_code == 0
        assert KEY not in done.output
        assert "\x1b" not in done.output
        assert json.loads(file.read_text())["live"] == {
            "api_key": KEY,
            "url": "https://api.example",
        }
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700

    def test_stores_nothing_where_the_key_is_wrong(self, run, server, file):
        server.add_error(401, "invalid_api_key")
        assert run("login", text=f"{KEY}\n").exit_code != 0
        assert not file.exists()

    def test_is_used_by_other_commands_with_its_own_address(self, run, server, monkeypatch):
        monkeypatch.setenv("KAIVOX_URL", "https://another.example")
        server.add(BUSINESS)
        server.add([CUSTOMER], meta={"next_cursor": None})
        run("login", "--url", "https://api.example", text=f"{KEY}\n")
        run("customers")
        assert {request.url.host for request in server.requests} == {"api.example"}
        assert server.requests[1].headers["Authorization"] == f"Bearer {KEY}"

    def test_live_data_and_sandbox_are_apart(self, monkeypatch):
        config.save_login(KEY, KaiVox(KEY))
        with pytest.raises(KaiVoxError, match="kaivox login --sandbox"):
            config.connect(sandbox=True)
        config.save_login(TEST_KEY, KaiVox(TEST_KEY))
        assert config.connect(sandbox=True).livemode is False
        assert config.connect(sandbox=False).livemode is True
        monkeypatch.setenv("KAIVOX_API_KEY", TEST_KEY)
        assert config.connect(sandbox=False).livemode is False

    def test_a_file_that_is_not_json_is_named(self, file):
        file.parent.mkdir()
        file.write_text("{")
        with pytest.raises(KaiVoxError, match=r"config\.json cannot be read"):
            config.connect(sandbox=False)


@pytest.fixture
def logged_in(monkeypatch):
    monkeypatch.setenv("KAIVOX_API_KEY", TEST_KEY)


class TestListen:
    def test_continues_where_it_was_after_an_outage(self, kaivox, server, monkeypatch):
        pauses = []
        monkeypatch.setattr("kaivox.cli.app.time.sleep", pauses.append)
        event = {"id": "evt_1", "type": "call.missed", "data": {"id": 1}}
        server.add([], meta={"next_cursor": None, "resume_cursor": None})
        server.add(BUSINESS)
        server.add([event], meta={"next_cursor": None, "resume_cursor": "r1"})
        for _ in range(4):
            server.add_raw(httpx.ConnectError("refused"))
        server.add([{**event, "id": "evt_2"}], meta={"next_cursor": None, "resume_cursor": "r2"})
        followed = _follow(kaivox, None)
        assert [next(followed).id, next(followed).id] == ["evt_1", "evt_2"]
        assert server.query()["cursor"] == "r1"
        assert len(pauses) == 1


@pytest.mark.usefixtures("logged_in")
class TestLists:
    def test_are_tables_or_json(self, run, server):
        for _ in range(2):
            server.add([CUSTOMER], meta={"next_cursor": None})
        assert "Asha [bold]Rao" in run("customers", "--search", "asha").output
        assert server.query()["search"] == "asha"
        assert json.loads(run("customers", "--json").output) == [CUSTOMER]

    def test_end_at_the_limit(self, run, server):
        server.add([CUSTOMER, CUSTOMER], meta={"next_cursor": "more"})
        assert len(json.loads(run("customers", "--limit", "2", "--json").output)) == 2
        assert server.query()["per_page"] == "2"

    def test_slots_name_the_next_free_time(self, run, server):
        slot = {
            "date": "2026-03-02",
            "time": "10:00",
            "start_time": "2026-03-02T04:30:00Z",
            "staff": [{"id": 1, "name": "Dr. Nair"}],
        }
        server.add([slot], meta={"timezone": "Asia/Kolkata"})
        server.add([], meta={"timezone": "Asia/Kolkata", "next_available": slot})
        shown = run("slots", "12", "--date", "2026-03-02").output
        assert "Asia/Kolkata" in shown
        assert "Dr. Nair" in shown
        assert "Next: 2026-03-02 10:00" in run("slots", "12").output

    def test_control_characters_do_not_reach_the_terminal(self):
        assert cell("a\x1b]0;x\x07\nb") == "a\ufffd]0;x\ufffd\ufffdb"
        assert printable("Élodie") == "Élodie"


@pytest.mark.usefixtures("logged_in")
class TestBook:
    def test_a_time_without_offset_is_local(self, run, server):
        for _ in range(2):
            server.add({"id": 1}, 201)
        run("book", "--service", "12", "--customer", "3", "--at", "2026-03-02 10:00", "--json")
        assert server.sent() == {
            "customer_id": 3, "service_id": 12, "source": "cli",
            "appointment_date": "2026-03-02", "appointment_time": "10:00",
        }  # fmt: skip
        run(
            "book", "--service", "12", "--customer", "3", "--at", "2026-03-02T10:00+05:30", "--json"
        )
        assert server.sent()["start_time"] == "2026-03-02T10:00:00+05:30"

    def test_a_customer_is_found_by_phone_or_added(self, run, server):
        server.add({"id": 3})
        server.add({"id": 1}, 201)
        run(
            "book",
            "--service",
            "12",
            "--name",
            "Asha",
            "--phone",
            "98",
            "--at",
            "2026-03-02 10:00",
            "--json",
        )
        assert server.query(0) == {"on_existing": "return"}
        assert server.sent()["customer_id"] == 3

    @pytest.mark.parametrize("words", [("--at", "tomorrow"), ("--at", "2026-03-02 10:00")])
    def test_names_what_is_missing(self, run, words):
        assert run("book", "--service", "12", *words).exit_code == 2


class TestForwarder:
    def test_signs_what_it_sends(self, monkeypatch):
        seen = []

        def receive(request):
            seen.append(request)
            return httpx.Response(500)

        secret, event = (
            new_secret(),
            {"id": "evt_1", "type": "call.missed", "data": {"name": "Élodie"}},
        )
        forwarder = Forwarder("http://localhost:3000/hook", secret)
        forwarder._http = httpx.Client(transport=httpx.MockTransport(receive))
        result = forwarder.send(event)
        assert (result.status, result.is_success) == (500, False)
        assert verify_webhook(seen[0].content, seen[0].headers, secret).to_dict() == event
        assert "Élodie".encode() in seen[0].content
        assert seen[0].headers["X-KaiVox-Event"] == "call.missed"

    @pytest.mark.parametrize("url", ["http://127.0.0.1:9/", "not a URL", "http://[::1"])
    def test_reports_a_receiver_that_is_away(self, url):
        result = Forwarder(url, new_secret()).send({"id": "evt_1", "type": "call.missed"})
        assert result.status is None
        assert result.error

    def test_the_secret_of_a_machine_stays_the_same(self):
        assert config.listen_secret() == config.listen_secret()


class TestTrigger:
    def test_changes_no_live_data(self, kaivox, server):
        with pytest.raises(KaiVoxError, match="live data"):
            triggers.cause(kaivox, "appointment.booked")
        assert server.requests == []

    def test_names_what_can_be_caused(self):
        with pytest.raises(KaiVoxError, match=r"appointment\.booked"):
            triggers.cause(KaiVox(TEST_KEY), "call.completed")

    def test_examples_are_test_events(self, kaivox, server):
        server.add([{"name": "call.missed", "example": {"id": 1}}])
        server.add(BUSINESS)
        event = triggers.example(kaivox, "call.missed")
        assert (event["test"], event["business_id"], event["data"]) == (True, 7, {"id": 1})
        assert list(event) == [
            "id", "type", "created_at", "business_id", "livemode", "test", "api_version", "data",
        ]  # fmt: skip
