"""Rules of the code base that import-linter does not check: layers of models and modules, sizes, names,
the top level of the repository."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from django.apps import apps
from django.db.models import ForeignKey, ManyToManyField

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent

# App labels by layer, from the lowest; apps of one layer are independent of each other.
LAYERS = {
    "kaivox": -1,  # models of the installation, which know no business
    "businesses": 0,
    "idempotency": 1,
    "webhooks": 2,
    "request_log": 2,
    "ratelimits": 2,
    "services": 3,
    "staff": 4,
    "customers": 4,
    "resources": 5,
    "appointments": 6,
    "calls": 7,
}
PACKAGES = (
    "appointments",
    "calls",
    "customers",
    "kaivox",
    "ratelimits",
    "services",
    "staff",
    "webhooks",
)
# `var`, `.venv` and the caches are generated and ignored by git.
TOP_LEVEL = {
    *PACKAGES, "templates", "tests", "docs", "deploy", "manage.py", "requirements.in", "requirements.txt",
    "requirements-dev.in", "requirements-dev.txt", "requirements-telemetry.in", "requirements-telemetry.txt", "README.md", "CONTRIBUTING.md", "CHANGELOG.md",
    "LICENSE", "SECURITY.md", "Makefile", "pyproject.toml", "Dockerfile", "compose.yaml", ".ci",
    ".dockerignore", ".env.example", ".gitignore", "openapi.json", ".pre-commit-config.yaml",
    "integrations",
}  # fmt: skip
MAX_LINES = 400
# Loaded by Django, Celery and the web servers, and imported by no other module.
OUTSIDE = {"kaivox.settings", "kaivox.environment", "kaivox.service_urls", "kaivox.server"}


def our_models():
    return [model for model in apps.get_models() if model._meta.app_label in LAYERS]


def our_modules():
    for package in (*PACKAGES, "tests"):
        yield from (
            path for path in (ROOT / package).rglob("*.py") if "migrations" not in path.parts
        )


class TestForeignKeys:
    @pytest.mark.parametrize("model", our_models(), ids=lambda model: model._meta.label)
    def test_reference_lower_layers(self, model):
        for field in model._meta.get_fields():
            if not isinstance(field, ForeignKey | ManyToManyField) or field.model is not model:
                continue
            target = field.related_model._meta.app_label
            here = model._meta.app_label
            if target == here or target not in LAYERS:
                continue
            assert LAYERS[target] < LAYERS[here], (
                f"{model._meta.label}.{field.name} references layer {LAYERS[target]} ({target}) from "
                f"layer {LAYERS[here]} ({here}). Foreign keys have the direction of imports: put the "
                "key on the other model, or store a plain id and register a callback, as "
                "appointments.call_links does."
            )

    def test_every_app_has_a_layer(self):
        ours = {
            config.label
            for config in apps.get_app_configs()
            if Path(config.path).is_relative_to(ROOT)
        }
        ours = {label for label in ours if ".venv" not in apps.get_app_config(label).path}
        with_models = {label for label in ours if list(apps.get_app_config(label).get_models())}
        assert with_models <= set(LAYERS), (
            "Add the layer of the new app here and in pyproject.toml."
        )


class TestModules:
    def test_are_short(self):
        long = {
            str(path.relative_to(ROOT)): lines
            for path in our_modules()
            # Settings are one list on purpose: there is one place to look a setting up.
            if path != ROOT / "kaivox/settings.py"
            and (lines := len(path.read_text().splitlines())) > MAX_LINES
        }
        assert not long, f"Over {MAX_LINES} lines: {long}. Split them by responsibility."

    def test_have_specific_names(self):
        vague = [
            str(path.relative_to(ROOT))
            for path in our_modules()
            if path.stem in {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
        ]
        assert not vague, f"{vague}: name the module after what it contains."

    def test_have_a_docstring(self):
        # Django's own module names, whose content is the same in every app.
        conventional = {
            "__init__", "apps", "urls", "views", "serializers", "filters", "tasks", "admin",
        }  # fmt: skip
        silent = [
            str(path.relative_to(ROOT))
            for path in our_modules()
            if path.stem not in conventional
            and path.relative_to(ROOT).parts[0] != "tests"
            and not ast.get_docstring(ast.parse(path.read_text()))
        ]
        assert not silent, f"Without a docstring that states the module's purpose: {silent}"

    def test_connect_no_signals(self):
        connected = [
            str(path.relative_to(ROOT))
            for path in our_modules()
            if "tests" not in path.parts
            # post_migrate is not sent for changes of rows: triggers are created in it.
            and re.search(r"models\.signals import (?!post_migrate\n)", path.read_text())
        ]
        assert not connected, (
            f"{connected}: call what follows from a change in its operation, where it can be read."
        )


class TestTopLevel:
    def test_is_the_one_agreed(self):
        listed = subprocess.run(
            ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
        )
        if listed.returncode:
            pytest.skip("not a git checkout: tracked and generated files cannot be distinguished")
        found = {name.split("/", 1)[0] for name in listed.stdout.splitlines()}
        assert found <= TOP_LEVEL, (
            f"New at the top level: {sorted(found - TOP_LEVEL)}. Move them into a package."
        )


class TestLayers:
    @pytest.fixture
    def contracts(self):
        config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
        return {contract["id"]: contract for contract in config["contracts"]}

    @pytest.fixture
    def layered(self, contracts):
        """Every module of the layers contract, in order, with repetitions."""
        return [
            module.strip() for layer in contracts["layers"]["layers"] for module in layer.split("|")
        ]

    def test_contain_every_module_once(self, layered):
        """A module in no layer could import anything, and be imported by anything."""
        children = {
            f"kaivox.{path.stem}"
            for path in (ROOT / "kaivox").iterdir()
            if path.stem != "__init__" and (path.suffix == ".py" or (path / "__init__.py").exists())
        }
        modules = (children | set(PACKAGES)) - {"kaivox"}
        assert sorted([*layered, *OUTSIDE]) == sorted(modules)

    def test_never_import_what_is_outside(self, contracts, layered):
        contract = contracts["outside"]
        assert set(contract["forbidden_modules"]) == OUTSIDE
        assert sorted(contract["source_modules"]) == sorted(layered)

    def test_have_no_exceptions(self, contracts):
        assert not any("ignore_imports" in contract for contract in contracts.values())

    def test_are_checked_by_import_linter(self):
        lint = subprocess.run(
            [Path(sys.executable).with_name("lint-imports"), "--no-logo"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert lint.returncode == 0, lint.stdout[-3000:] + lint.stderr[-500:]
