"""Packages, images and committed files: hashes, exact versions, no secrets."""

from __future__ import annotations

import re
import subprocess

import pytest
import yaml

from kaivox.businesses.auth.key_format import is_well_formed
from tests.stack import ROOT

pytestmark = pytest.mark.once

LOCKS = ("requirements.txt", "requirements-dev.txt")


def entries(lock):
    """The requirements of a lock file, each with its hashes as one text."""
    text = (ROOT / lock).read_text().replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def name_and_version(requirement):
    """`("celery", "5.7.0")` of `celery[redis]==5.7.0`, or `("celery", "")` of `celery`."""
    name, _, version = re.sub(r"\[.*\]", "", requirement).partition("==")
    return name.lower(), version


class TestRequirements:
    @pytest.mark.parametrize("lock", LOCKS)
    def test_have_a_version_and_hashes(self, lock):
        """pip then checks every file that it installs, and installs nothing that is not listed."""
        assert len(entries(lock)) > 50
        for entry in entries(lock):
            assert re.match(r"[a-z0-9._-]+(\[[a-z,-]+\])?==[^\s;]+", entry), entry
            assert re.search(r"--hash=sha256:[0-9a-f]{64}", entry), entry

    @pytest.mark.parametrize("lock", LOCKS)
    def test_have_what_was_asked_for(self, lock):
        """`make lock` was run after the last change."""
        versions = {name_and_version(entry.split()[0]) for entry in entries(lock)}
        for line in (ROOT / lock).with_suffix(".in").read_text().splitlines():
            wanted = line.partition("#")[0].strip()
            if not wanted or wanted.startswith("-"):
                continue
            name, version = name_and_version(wanted)
            found = {pinned for pinned in versions if pinned[0] == name}
            assert found, f"{name}: run `make lock`"
            assert not version or (name, version) in found, f"{name}=={version}: run `make lock`"


class TestImages:
    def test_have_an_exact_version_and_a_digest(self):
        services = yaml.safe_load((ROOT / "compose.yaml").read_text())["services"]
        images = {service["image"] for service in services.values()} - {"kaivox"}
        images |= set(re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.M))
        for image in images:
            tag, _, digest = image.partition(":")[2].partition("@")
            assert re.match(r"\d+\.\d+(\.\d+)?(-|$)", tag), f"{image}: write its exact version"
            assert re.fullmatch(r"sha256:[0-9a-f]{64}", digest), f"{image}: write its digest"


class TestRedisOfCompose:
    def test_requires_a_password(self):
        compose = yaml.safe_load((ROOT / "compose.yaml").read_text())
        password = "${REDIS_PASSWORD:?set it in .env}"
        assert f'requirepass "{password}"' in compose["configs"]["redis"]["content"]
        assert "ports" not in compose["services"]["redis"]
        for service in ("web", "worker", "beat", "migrate"):
            url = compose["services"][service]["environment"]["REDIS_URL"]
            assert url == f"redis://:{password}@redis:6379/0"


class TestCommittedFiles:
    def test_contain_no_valid_api_key(self):
        """`make audit` looks for the secrets of others."""
        found = subprocess.run(
            ["git", "grep", "-hoE", "kv_(live|test)_[0-9A-Za-z]{38}"],
            cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        if found.returncode > 1:
            pytest.skip("not a git repository")
        assert [key for key in found.stdout.split() if is_well_formed(key)] == []
