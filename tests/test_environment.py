"""How values of the environment are parsed, and the one-sentence errors of those that cannot be."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from kaivox.environment import Environment, make_folder

pytestmark = pytest.mark.once

LONG_KEY = "k" * 50


class TestFlag:
    @pytest.mark.parametrize("text", ("1", "true", "YES", " on "))
    def test_parses_true(self, text):
        assert Environment({"X": text}).flag("X", default=False) is True

    @pytest.mark.parametrize("text", ("0", "false", "No", "off"))
    def test_parses_false(self, text):
        assert Environment({"X": text}).flag("X", default=True) is False

    def test_treats_empty_as_unset(self):
        assert Environment({"X": " "}).flag("X", default=True) is True

    def test_names_invalid_values(self):
        with pytest.raises(ImproperlyConfigured, match="DEBUG is 'maybe'"):
            Environment({"DEBUG": "maybe"}).flag("DEBUG", default=False)


class TestInteger:
    @pytest.mark.parametrize("text", ("-1", "1.5", "abc", "٣", "65536", "9" * 30))
    def test_names_invalid_values(self, text):
        with pytest.raises(ImproperlyConfigured, match="PORT is"):
            Environment({"PORT": text}).integer("PORT", 8000, maximum=65_535)

    def test_reads_a_number(self):
        assert Environment({"PORT": "8001"}).integer("PORT", 8000) == 8001


class TestSeconds:
    def test_reads_a_schedule(self):
        assert Environment({"X": "30, 300,3600"}).seconds("X", [], at_most=3) == [30, 300, 3600]

    @pytest.mark.parametrize(
        "text", ("30;300", "soon", "-1", "nan", "inf", "30,,5", "30,", "1,1,1,1")
    )
    def test_names_invalid_values(self, text):
        with pytest.raises(ImproperlyConfigured, match="WEBHOOK_RETRY_SCHEDULE"):
            Environment({"WEBHOOK_RETRY_SCHEDULE": text}).seconds(
                "WEBHOOK_RETRY_SCHEDULE", [], at_most=3
            )


class TestNetworks:
    def test_reads_addresses_and_blocks(self):
        environment = Environment({"X": "203.0.113.7, 10.0.0.0/8,::1"})
        assert environment.networks("X", []) == ["203.0.113.7", "10.0.0.0/8", "::1"]
        assert environment.networks("Y", ["::1/128"]) == ["::1/128"]

    @pytest.mark.parametrize("text", ("10.0.0.1/8", "localhost", "１0.0.0.1", "10.0.0.0/33"))
    def test_names_invalid_values(self, text):
        with pytest.raises(ImproperlyConfigured, match=f"METRICS_ALLOWED has '{text}'"):
            Environment({"METRICS_ALLOWED": text}).networks("METRICS_ALLOWED", [])


class TestSecretKey:
    def test_is_generated_once(self, tmp_path):
        first = Environment({}).secret_key(tmp_path / "key")
        assert len(first) >= 50
        assert Environment({}).secret_key(tmp_path / "key") == first

    def test_is_required_in_production(self):
        with pytest.raises(ImproperlyConfigured, match="SECRET_KEY is required"):
            Environment({}).secret_key(None)

    def test_must_be_long_in_production(self):
        with pytest.raises(ImproperlyConfigured, match="shorter than 50"):
            Environment({"SECRET_KEY": "short"}).secret_key(None)

    def test_comes_from_the_environment(self):
        assert Environment({"SECRET_KEY": LONG_KEY}).secret_key(None) == LONG_KEY


class TestDatabase:
    def read(self, url):
        return Environment({"DATABASE_URL": url}).database("DATABASE_URL")

    def test_reads_escapes_in_the_password(self):
        found = self.read("postgres://me:p%40s%2Fs@db.example:5433/kaivox")
        assert (found["PASSWORD"], found["HOST"], found["PORT"]) == ("p@s/s", "db.example", 5433)

    def test_passes_its_parameters_to_psycopg(self):
        found = self.read("postgres://me@db.example/kaivox?sslmode=verify-full&sslrootcert=/ca.pem")
        assert found["OPTIONS"] == {"sslmode": "verify-full", "sslrootcert": "/ca.pem"}
        assert found["NAME"] == "kaivox"

    def test_reads_a_socket(self):
        found = self.read("postgresql:///kaivox?host=/run/postgresql")
        assert (found["HOST"], found["NAME"], found["OPTIONS"]) == ("/run/postgresql", "kaivox", {})

    @pytest.mark.parametrize("url", ("sqlite:///x", "mysql://x/y", "localhost"))
    def test_rejects_other_databases(self, url):
        with pytest.raises(ImproperlyConfigured, match="must begin with postgres://"):
            self.read(url)

    @pytest.mark.parametrize(
        "url",
        (
            "postgres://",
            "postgres:///",
            "postgres://me:hunter@2@db.example/kaivox",
            "postgres://me:hunter/2@db.example/kaivox",
            "postgres://me:1/2@db.example/kaivox",
            "postgres://me:hunter?2@x@db.example/kaivox",
            "postgres://me:hunter2@db.example:port/kaivox",
            "postgres://me:hunter2@db.example:²/kaivox",
            "postgres://me:hunter2@db.example:99999/kaivox",
            "postgres://me:hunter2@db.example/kaivox?ssl_mode=require",
            "postgres://me:hunter2@db.example/kaivox?sslmode=on",
            "postgres://me:hunter2@[::1/kaivox",
        ),
    )
    def test_errors_never_quote_the_password(self, url):
        with pytest.raises(ImproperlyConfigured, match="DATABASE_URL cannot be parsed") as caught:
            self.read(url)
        assert "hunter" not in str(caught.value)


class TestRedis:
    @pytest.mark.parametrize(
        "url",
        (
            "redis://127.0.0.1:6379/0",
            "rediss://user:p%40ss@redis.example/15?ssl_cert_reqs=required",
            "unix:///run/redis.sock?db=1",
        ),
    )
    def test_reads_a_url(self, url):
        assert Environment({"REDIS_URL": url}).redis("REDIS_URL") == url

    @pytest.mark.parametrize(
        "url",
        (
            "nonsense",
            "http://x",
            "redis://",
            "redis://h:notaport/0",
            "redis://h:99999/0",
            "redis://h/abc",
            "redis://h/²",
            "redis+sentinel://h/main/²",
            "redis://:hunter@2@h/0",
            "redis://:hunter/2@h/0",
            "redis://h/0?colour=red",
            "redis://h/0?socket_timeout=soon",
            "redis://[::1/0",
        ),
    )
    @pytest.mark.parametrize("name", ("REDIS_URL", "CELERY_BROKER_URL"))
    def test_names_invalid_values(self, name, url):
        environment = Environment({name: url})
        read = environment.redis if name == "REDIS_URL" else environment.broker
        with pytest.raises(ImproperlyConfigured, match=f"{name} cannot be parsed") as caught:
            read(name)
        assert "hunter" not in str(caught.value)


class TestBroker:
    @pytest.mark.parametrize(
        "url",
        (
            "amqp://kaivox:p%40ss@rabbitmq:5672/kaivox",
            "amqps://rabbitmq//",
            "redis://127.0.0.1/1",
            "filesystem://localhost",
            "memory://",
        ),
    )
    def test_reads_a_url(self, url):
        assert Environment({"X": url}).broker("X") == url

    @pytest.mark.parametrize("url", ("amqp://", "amqp://h:port/", "amqp://a:b@c@h/", "sqs://x"))
    def test_names_invalid_values(self, url):
        with pytest.raises(ImproperlyConfigured, match="X cannot be parsed"):
            Environment({"X": url}).broker("X")


class TestMailServer:
    @pytest.mark.parametrize(
        ("url", "port", "starttls", "ssl"),
        (
            ("smtp://mail.example", 25, False, False),
            ("smtp+tls://mail.example", 587, True, False),
            ("smtp+ssl://mail.example", 465, False, True),
            ("smtp+tls://mail.example:2525", 2525, True, False),
        ),
    )
    def test_follows_the_scheme(self, url, port, starttls, ssl):
        server = Environment({"X": url}).mail_server("X")
        assert (server.host, server.port) == ("mail.example", port)
        assert (server.starttls, server.ssl, server.user) == (starttls, ssl, "")

    def test_decodes_user_and_password(self):
        server = Environment({"X": "smtp://a%40b.example:p%2Fw%40@mail.example"}).mail_server("X")
        assert (server.user, server.password) == ("a@b.example", "p/w@")

    def test_is_none_where_unset(self):
        assert Environment({}).mail_server("X") is None

    @pytest.mark.parametrize(
        "url",
        (
            "mail.example",
            "smtp://",
            "http://mail.example",
            "smtp://mail.example:seven",
            "smtp://user:hidden/word@mail.example",
        ),
    )
    def test_errors_never_quote_the_password(self, url):
        with pytest.raises(ImproperlyConfigured, match="X cannot be parsed") as caught:
            Environment({"X": url}).mail_server("X")
        assert "hidden" not in str(caught.value)


class TestNames:
    @pytest.mark.parametrize(
        "text", ("*", "api.example.com", ".example.com, 127.0.0.1", "[::1],db_1,API.Example")
    )
    def test_hosts_are_parsed(self, text):
        assert len(Environment({"X": text}).hosts("X", default=[])) == text.count(",") + 1

    @pytest.mark.parametrize(
        "text", ("https://api.example.com", "a.example:8000", "a b", "a/b", "::1")
    )
    def test_other_hosts_are_named(self, text):
        with pytest.raises(ImproperlyConfigured, match="X has"):
            Environment({"X": text}).hosts("X", default=[])

    @pytest.mark.parametrize(
        "text", ("https://a.example", "http://localhost:8000,https://*.a.example")
    )
    def test_origins_are_parsed(self, text):
        assert Environment({"X": text}).origins("X") == text.split(",")

    @pytest.mark.parametrize(
        "text", ("api.example.com", "https://a.example/", "ftp://a", "https://")
    )
    def test_other_origins_are_named(self, text):
        with pytest.raises(ImproperlyConfigured, match="X has"):
            Environment({"X": text}).origins("X")

    @pytest.mark.parametrize(
        ("text", "address"), (("::1", "::1"), ("[::1]", "::1"), ("127.0.0.2", "127.0.0.2"))
    )
    def test_addresses_are_parsed(self, text, address):
        assert Environment({"HOST": text}).address("HOST", "") == address

    @pytest.mark.parametrize("text", ("nonsense", "http://127.0.0.1", "127.0.0.1:8000"))
    def test_other_addresses_are_named(self, text):
        with pytest.raises(ImproperlyConfigured, match="HOST is"):
            Environment({"HOST": text}).address("HOST", "")


class TestFolder:
    def test_that_is_a_file_is_an_error(self, tmp_path):
        (tmp_path / "file").touch()
        with pytest.raises(ImproperlyConfigured, match="set KAIVOX_VAR"):
            make_folder(tmp_path / "file")
