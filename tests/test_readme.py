"""README and the documents for contributors: the receiver runs, and what they name exists."""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import time
import tomllib
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest
import requests

from webhooks.event_types import EVENT_TYPES
from webhooks.signing import new_secret, signature_headers

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent
README = ROOT / "README.md"
DECISIONS = ROOT / "docs" / "decisions"
EVENT = b'{"id":"evt_1","type":"appointment.booked","data":{"id":680}}'

DOCUMENTS = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md"))]
LINKING = [*DOCUMENTS, *sorted((ROOT / "integrations").glob("*/README.md"))]
_TOP = "kaivox|appointments|calls|customers|resources|staff|services|webhooks|ratelimits|tests"
_CODE = re.compile(r"`([^`\n]+)`")
_MODULE = re.compile(rf"(?!.*\.csv$)(?:{_TOP})(?:\.\w+)+")
_PATH = re.compile(rf"(?:{_TOP}|deploy|docs|templates|\.ci)/[\w./-]*")
# The example resource of CONTRIBUTING.md, which the reader creates.
_EXAMPLE = "vouchers"


@pytest.fixture
def receiver(tmp_path):
    """README's receiver as a process: its URL, its secret and a file with its output."""
    program = _block(README.read_text(), "## One verified webhook")
    secret, printed = new_secret(), tmp_path / "printed"
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    script = tmp_path / "receiver.py"
    script.write_text(program.replace("9000", str(port)))
    with printed.open("w") as output:
        process = subprocess.Popen(
            [sys.executable, "-u", str(script), secret], stdout=output, stderr=subprocess.DEVNULL
        )
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}/", secret, printed
    finally:
        process.kill()
        process.wait()


class TestReceiver:
    def test_prints_an_event_with_a_valid_signature(self, receiver):
        url, secret, printed = receiver
        response = requests.post(url, data=EVENT, headers=_headers(secret), timeout=5)
        assert response.status_code == 204
        assert printed.read_text() == "appointment.booked 680\n"

    def test_rejects_an_event_signed_with_another_secret(self, receiver):
        url, _, printed = receiver
        with pytest.raises(requests.ConnectionError):
            requests.post(url, data=EVENT, headers=_headers(new_secret()), timeout=5)
        assert printed.read_text() == ""


class TestNames:
    @pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
    def test_every_module_and_file_exists(self, path):
        text = path.read_text()
        if re.search(r"superseded by \d{4}", text[:300], re.IGNORECASE):
            return  # describes modules of its time
        names = [name for name in _CODE.findall(text) if _EXAMPLE not in name]
        names = [name for name in names if name not in EVENT_TYPES]  # `staff.updated` is no module
        missing = [name for name in names if _PATH.fullmatch(name) and not (ROOT / name).exists()]
        missing += [name for name in names if _MODULE.fullmatch(name) and not _resolves(name)]
        assert not missing, f"{path.name} names what does not exist: {missing}"

    @pytest.mark.parametrize("path", LINKING, ids=lambda path: str(path.relative_to(ROOT)))
    def test_every_linked_file_and_heading_exists(self, path):
        """As the repository's web pages show it; `tests/pages/test_docs.py` follows the links of the site."""
        for target in re.findall(r"\]\(([^):/][^):]*)\)", path.read_text()):
            name, _, anchor = target.partition("#")
            linked = path.parent / name if name else path
            assert linked.exists(), target
            assert not anchor or anchor in _anchors(linked.read_text()), target

    def test_make_targets_exist(self):
        targets = set(re.findall(r"^([\w-]+):", (ROOT / "Makefile").read_text(), re.M))
        for path in DOCUMENTS:
            named = set(re.findall(r"[`\s]make ([a-z]+(?:-[a-z]+)*)[`\s]", _code(path.read_text())))
            assert named <= targets, f"{path.name}: make {named - targets}"

    @pytest.mark.parametrize("path", (README, ROOT / "CONTRIBUTING.md"), ids=lambda path: path.name)
    def test_every_drill_is_named(self, path):
        drills = re.findall(r"^(drill-[\w-]+):", (ROOT / "Makefile").read_text(), re.M)
        assert [name for name in drills if name not in path.read_text()] == []

    def test_steps_of_a_request_are_numbered_in_order(self):
        table = (ROOT / "CONTRIBUTING.md").read_text().partition("| Step |")[2].partition("\n\n")[0]
        numbers = [int(number) for number in re.findall(r"^\| (\d+) \|", table, re.M)]
        assert numbers == list(range(1, len(numbers) + 1))

    def test_benches_exist(self):
        benches = re.findall(r"\| `(\w+)` \|$", README.read_text(), re.M)
        assert benches
        assert all((ROOT / "tests" / "bench" / f"{name}.py").exists() for name in benches)


class TestInstall:
    @pytest.mark.parametrize("path", LINKING, ids=lambda path: str(path.relative_to(ROOT)))
    def test_our_packages_come_from_the_clone(self, path):
        """A registry has none of them: whatever it has under these names is of others."""
        commands = re.findall(
            r"(?:pip|npm) install ((?:(?!&&)[^`\n|])+)|install `(kaivox[^`]*)`", path.read_text()
        )
        words = " ".join(part for found in commands for part in found).replace("'", "").split()
        ours = re.compile(r"(?:kaivox|dlt-kaivox|n8n-nodes-kaivox)(?:\[.*\])?(?:[=@].*)?")
        assert [word for word in words if ours.fullmatch(word)] == []


class TestLayers:
    def test_contributing_lists_those_that_the_linter_enforces(self):
        settings = tomllib.loads((ROOT / "pyproject.toml").read_text())
        contract = next(
            item for item in settings["tool"]["importlinter"]["contracts"] if item["id"] == "layers"
        )
        enforced = [layer.split(" | ") for layer in contract["layers"]]
        rows = re.findall(r"^\| \d+ \| (.+) \|$", (ROOT / "CONTRIBUTING.md").read_text(), re.M)
        documented = [re.findall(r"`([\w.]+)`", row) for row in rows[-len(enforced) :]]
        assert documented == enforced


class TestDecisions:
    def test_the_index_links_every_page(self):
        linked = set(re.findall(r"\]\((\d{4}-[^)]+\.md)\)", (DECISIONS / "README.md").read_text()))
        assert linked == {path.name for path in DECISIONS.glob("0*.md")}

    def test_pages_refer_to_decisions_that_are_in_the_index(self):
        index = (DECISIONS / "README.md").read_text()
        numbers = set(re.findall(r"^\| \[?(\d{4})\b", index, re.M))
        for path in DECISIONS.glob("0*.md"):
            text = path.read_text()
            assert text.startswith(f"# {path.name[:4]} · "), path.name
            assert set(re.findall(r"\b(00\d\d)\b", text)) <= numbers, path.name


def _block(text: str, heading: str) -> str:
    """The first fenced block of Python under `heading`."""
    found = re.search(r"```python\n(.*?)```", text.partition(heading)[2], re.S)
    assert found, heading
    return found[1]


def _code(text: str) -> str:
    """The parts of a document in which commands are written."""
    return "\n".join([*re.findall(r"```sh\n(.*?)```", text, re.S), *re.findall(r"`[^`\n]+`", text)])


def _anchors(text: str) -> set[str]:
    """Those of the headings of a document, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", re.sub(r"```.*?```", "", text, flags=re.S), re.M)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def _resolves(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute of one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        if _is_module(".".join(parts[:length])):
            value = import_module(".".join(parts[:length])) if length < len(parts) else None
            return all((value := getattr(value, part, None)) is not None for part in parts[length:])
    return False


def _is_module(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:
        return False


def _headers(secret: str) -> dict[str, str]:
    return signature_headers(EVENT, event_id="evt_1", timestamp=int(time.time()), secrets=[secret])


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("README's receiver does not start")
