"""compose.yaml and Dockerfile: variables, limits, health checks, ignored files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from tests.stack import ROOT

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
# Set by compose itself, or for the embedded profile and local use only.
_NOT_PASSED = {"HOST", "PORT", "KAIVOX_VAR", "DEBUG", "VOICE_ALLOW_UNSIGNED"}


def test_compose_passes_every_variable():
    named = set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
    assert len(named) > 30
    for service in ("web", "worker", "beat", "migrate"):
        assert set(COMPOSE["services"][service]["environment"]) == named - _NOT_PASSED, service


def test_every_service_has_limits_and_a_health_check():
    for name, service in COMPOSE["services"].items():
        assert "mem_limit" in service, name
        assert "max-size" in service["logging"]["options"], name
        if name not in ("web", "migrate"):  # web's is in the image; migrate exits
            assert "test" in service["healthcheck"], name


def test_no_local_secret_is_copied_into_the_image():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".env", ".env.*", ".git", "var"} <= set(ignored)


def test_the_image_runs_as_a_numbered_user():
    user = re.search(r"^USER (\d+):(\d+)$", (ROOT / "Dockerfile").read_text(), re.M)
    assert user
    assert "0" not in user.groups()


@pytest.mark.parametrize(
    ("target", "unit"),
    (("web", "kaivox-web@"), ("worker", "kaivox-worker@"), ("beat", "kaivox-beat")),
)
def test_systemd_units_run_the_commands_of_the_makefile(target, unit):
    recipe = (ROOT / "Makefile").read_text().partition(f"\n{target}: ")[2].partition("\n\n")[0]
    command = recipe.replace("\\\n", " ").partition("@exec $(PYTHON) ")[2]
    text = (ROOT / "deploy" / "systemd" / f"{unit}.service").read_text()
    (started,) = re.findall(r"^ExecStart=/opt/kaivox/\.venv/bin/python (.+)$", text, re.M)

    def words(line):  # the last part of a worker's node name is its instance, or the process id
        return line.replace("worker-$$$$@%h", "NODE").replace("worker-%i@%%h", "NODE").split()

    assert words(started) == words(command)


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd-analyze is missing")
@pytest.mark.parametrize(
    "path", sorted((ROOT / "deploy" / "systemd").glob("*.service")), ids=lambda one: one.stem
)
def test_systemd_accepts_the_units(path, tmp_path):
    # `verify` requires the program to exist, and reports unknown settings as warnings.
    unit = tmp_path / path.name
    unit.write_text(path.read_text().replace("/opt/kaivox/.venv/bin/python", sys.executable))
    verify = ["systemd-analyze", "verify", "--man=no", str(unit)]
    done = subprocess.run(verify, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


def test_every_alert_has_a_runbook():
    rules = yaml.safe_load((ROOT / "deploy" / "alerts.yml").read_text())["groups"][0]["rules"]
    headings = re.findall(r"^### (\w+)$", (ROOT / "docs/operations/alerts.md").read_text(), re.M)
    assert headings == [rule["alert"] for rule in rules]
    for rule in rules:
        anchor = f"docs/operations/alerts.md#{rule['alert'].lower()}"
        assert rule["annotations"]["runbook"] == anchor


class TestPagesForOperators:
    """Their commands and settings; targets of make, files and links are tested with all documents."""

    PAGES = sorted((ROOT / "docs" / "operations").glob("*.md"))
    # Of compose.yaml, and a message of RabbitMQ.
    NOT_SETTINGS = {"POSTGRES_PASSWORD", "RABBITMQ_PASSWORD", "REDIS_PASSWORD", "RESOURCE_LOCKED"}

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
    def test_commands_exist_with_their_options(self, page):
        apps = get_commands()
        for name, rest in re.findall(r"manage\.py (\w+)([^`\n#]*)", page.read_text()):
            assert name in apps, name
            command = apps[name]
            if isinstance(command, str):
                command = load_command_class(command, name)
            known = command.create_parser("manage.py", name).format_help()
            for option in re.findall(r"(--[a-z-]+)", rest):
                assert option in known, f"{name} {option}"

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
    def test_targets_and_units_exist(self, page):
        text = page.read_text()
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
        named = re.findall(r"(?:^    |`)make ([a-z-]+)", text, re.M)
        assert set(named) <= targets
        units = {path.stem for path in (ROOT / "deploy" / "systemd").glob("*.service")}
        assert set(re.findall(r"\b(kaivox-(?:web|worker|beat)@?)", text)) <= units

    @pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
    def test_settings_are_in_the_example(self, page):
        text = page.read_text()
        code = "\n".join([*re.findall(r"`([^`\n]+)`", text), *re.findall(r"^    .+", text, re.M)])
        named = set(re.findall(r"\b[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+\b", code))
        explained = set(re.findall(r"^# ([A-Z_]+)=", (ROOT / ".env.example").read_text(), re.M))
        assert named - self.NOT_SETTINGS <= explained


def test_pages_for_operators_link_to_what_exists():
    folder = ROOT / "docs" / "operations"
    for page in folder.glob("*.md"):
        for link in re.findall(r"\]\(([^)#]+)", page.read_text()):
            assert (folder / link).exists(), f"{page.name}: {link}"


class TestKubernetes:
    FOLDER = ROOT / "deploy" / "kubernetes"

    def objects(self):
        base = yaml.safe_load((self.FOLDER / "kustomization.yaml").read_text())
        for name in base["resources"]:
            yield from yaml.safe_load_all((self.FOLDER / name).read_text())

    def containers(self):
        for one in self.objects():
            if one["kind"] in ("Deployment", "Job"):
                pod = one["spec"]["template"]["spec"]
                assert pod["securityContext"]["runAsNonRoot"] is True
                (container,) = pod["containers"]
                yield container["name"], container, pod

    def test_runs_the_commands_of_compose(self):
        for name, container, _ in self.containers():
            command = COMPOSE["services"][name].get("command")
            if command is None:  # the image's own
                line = re.search(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.M)
                command = " ".join(yaml.safe_load(line[1]))
            assert container["args"] == command.split(), name

    def test_every_container_has_limits_and_probes(self):
        names = []
        for name, container, _ in self.containers():
            names.append(name)
            assert "memory" in container["resources"]["limits"], name
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            if name != "migrate":
                assert {"startupProbe", "livenessProbe"} <= set(container), name
        assert sorted(names) == ["beat", "migrate", "web", "worker"]

    def test_containers_may_finish_what_they_do(self):
        """At least as long as compose and systemd wait."""
        for name, _, pod in self.containers():
            if name != "migrate":
                grace = COMPOSE["services"][name].get("stop_grace_period", "10s")
                assert pod["terminationGracePeriodSeconds"] >= int(grace.rstrip("s")), name
