"""What the linter cannot see of the house: foreign keys, sizes, names, the top level."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import ForeignKey, ManyToManyField

ROOT = Path(__file__).resolve().parent.parent

# Floors from the ground up; rooms of one floor do not know each other.
FLOORS = {
    "businesses": 0,
    "idempotency": 1,
    "webhooks": 2,
    "ratelimits": 2,
    "services": 3,
    "staff": 4,
    "customers": 4,
    "appointments": 5,
    "calls": 6,
}
ROOMS = (
    "appointments",
    "calls",
    "customers",
    "kaivox",
    "ratelimits",
    "services",
    "staff",
    "webhooks",
)
# `var`, `.venv` and the caches are made by running it; git knows none of them.
TOP_LEVEL = {
    *ROOMS, "templates", "tests", "docs", "deploy", "manage.py", "requirements.in", "requirements.txt",
    "requirements-dev.in", "requirements-dev.txt", "README.md", "CONTRIBUTING.md", "CHANGELOG.md",
    "LICENSE", "Makefile", "pyproject.toml", "Dockerfile", "compose.yaml", ".ci", ".dockerignore",
    ".env.example", ".gitignore", "openapi.json", ".pre-commit-config.yaml",
}  # fmt: skip
MAX_LINES = 400


def our_models():
    return [model for model in apps.get_models() if model._meta.app_label in FLOORS]


def our_modules():
    for room in (*ROOMS, "tests"):
        yield from (path for path in (ROOT / room).rglob("*.py") if "migrations" not in path.parts)


class TestForeignKeys:
    @pytest.mark.parametrize("model", our_models(), ids=lambda model: model._meta.label)
    def test_point_downhill(self, model):
        for field in model._meta.get_fields():
            if not isinstance(field, ForeignKey | ManyToManyField) or field.model is not model:
                continue
            target = field.related_model._meta.app_label
            here = model._meta.app_label
            if target == here or target not in FLOORS:
                continue
            assert FLOORS[target] < FLOORS[here], (
                f"{model._meta.label}.{field.name} points from floor {FLOORS[here]} ({here}) to "
                f"floor {FLOORS[target]} ({target}). Foreign keys run downhill like imports: put "
                "the key on the other model, or keep a plain number and a hook as "
                "appointments.links does."
            )

    def test_every_app_has_a_floor(self):
        ours = {
            config.label
            for config in apps.get_app_configs()
            if Path(config.path).is_relative_to(ROOT)
        }
        ours = {label for label in ours if ".venv" not in apps.get_app_config(label).path}
        with_models = {label for label in ours if list(apps.get_app_config(label).get_models())}
        assert with_models <= set(FLOORS), (
            "A new app with models: give it a floor here and in pyproject.toml."
        )


class TestModules:
    def test_are_of_a_size_to_read(self):
        long = {
            str(path.relative_to(ROOT)): lines
            for path in our_modules()
            # Settings are one list on purpose: who looks for one looks here.
            if path != ROOT / "kaivox/settings.py"
            and (lines := len(path.read_text().splitlines())) > MAX_LINES
        }
        assert not long, (
            f"Over {MAX_LINES} lines: {long}. A module answers one question: split it by noun."
        )

    def test_have_names_that_say_something(self):
        vague = [
            str(path.relative_to(ROOT))
            for path in our_modules()
            if path.stem in {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
        ]
        assert not vague, f"{vague}: the name of the thing is not found yet. What does it hold?"

    def test_say_what_they_answer(self):
        # What stands in these is told by their names, which are the same in every app.
        skeleton = {"__init__", "apps", "urls", "views", "serializers", "filters", "tasks", "admin"}
        silent = [
            str(path.relative_to(ROOT))
            for path in our_modules()
            if path.stem not in skeleton
            and path.relative_to(ROOT).parts[0] != "tests"
            and not ast.get_docstring(ast.parse(path.read_text()))
        ]
        assert not silent, f"Without a docstring that says their one question: {silent}"

    def test_connect_no_signals(self):
        connected = [
            str(path.relative_to(ROOT))
            for path in our_modules()
            if "tests" not in path.parts
            and "from django.db.models.signals import" in path.read_text()
        ]
        assert not connected, (
            f"{connected}: what follows from a change is called in its operation, where it can be read."
        )


class TestTopLevel:
    def test_is_the_one_agreed(self):
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if listed.returncode:
            pytest.skip("not a git checkout: nothing tells our files from others")
        found = {name.split("/", 1)[0] for name in listed.stdout.splitlines()}
        assert found <= TOP_LEVEL, (
            f"New at the top level: {sorted(found - TOP_LEVEL)}. Find its room."
        )


class TestFloors:
    def test_imports_run_downhill(self):
        lint = subprocess.run(
            [Path(sys.executable).with_name("lint-imports"), "--no-logo"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert lint.returncode == 0, lint.stdout[-3000:] + lint.stderr[-500:]
