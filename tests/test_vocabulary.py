"""The repository is written in standard technical English: no metaphors, one meaning a word."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).resolve().parent.parent

# A metaphor, and the words to use instead.
BANNED = {
    "room|rooms": "package, module",
    "floor|floors": "layer",
    "door|doors": "entry point, endpoint, client",
    "road|roads": "code path",
    "house": "code base",
    "uphill|downhill": "against the layers, down the layers",
    "told|tell|tells|telling": "sent, notified, says, reports",
    "spared|spares|spare": "skipped, avoided",
    "stands|stand": "is, is stored, is listed",
    "given|gives out": "passed, supplied, set",
    "taken|takes up": "reserved, busy, acquired, accepted",
    "kept|keeps": "stored, remembered, preserved",
    "let go|lets go": "released",
    "knock|knocks": "requests",
    "mend|mends|mended": "fix, fixed",
    "anew": "again",
    "nobody|somebody|whoever": "no one in particular: name who it is",
    "broom|weather": "plain words",
}
# Ordinary uses: the phrase around the word, in lower case.
ALLOWED = (
    "is taken", "are taken", "already taken", "taken time", "taken slot", "time was taken",
    "floor(", "meeting room", "at any given", "given name", "for a given",
    "is kept for", "are kept for", "kept for", "is kept open", "kept alive",
    "@given(", "given, settings", "healthcheck, given", "hypothesis import given",
    '"nobody"', '"whoever"',
)  # fmt: skip
SUFFIXES = {".py", ".md", ".html", ".txt", ".toml", ".yaml", ".yml", ".conf", ".lua", ".in"}
# Generated files, other people's words, speech samples, and migrations, which are frozen.
EXCLUDED = re.compile(
    r"(^|/)migrations/|^openapi\.json$|postman_collection|^LICENSE$|/sentiment/|/samples/|"
    r"conversations\.py$|^tests/test_vocabulary\.py$|call_texts\.py$|/static/.*\.(js|css|svg)$"
)


def our_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("not a git checkout: nothing tells our files from others")
    names = [name for name in listed.stdout.splitlines() if not EXCLUDED.search(name)]
    files = [ROOT / name for name in names if Path(name).suffix in SUFFIXES or "/" not in name]
    return [path for path in files if path.is_file()]


def pattern_of(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w-])(?:{words})(?![\w-])", re.IGNORECASE)


def uses(text: str) -> list[str]:
    """Each use of a banned word in `text`, with its line and the words to write instead."""
    found = []
    for number, line in enumerate(text.splitlines(), 1):
        plain = line.lower()
        for phrase in ALLOWED:
            plain = plain.replace(phrase, "")
        if any_banned.search(plain):
            better = [BANNED[words] for words in BANNED if pattern_of(words).search(plain)]
            found.append(f"{number}: {line.strip()[:90]} (write: {'; '.join(better)})")
    return found


any_banned = pattern_of("|".join(BANNED))


def test_metaphors_are_not_used():
    found = [
        f"{path.relative_to(ROOT)}:{use}"
        for path in our_files()
        for use in uses(path.read_text(errors="ignore"))
    ]
    assert not found, f"{len(found)} uses:\n" + "\n".join(found[:60])


def test_a_metaphor_is_found():
    assert uses("the room of webhooks") == ["1: the room of webhooks (write: package, module)"]
    assert not uses("bathroom, roommate; the slot is taken")


def test_module_docstrings_are_statements():
    questions = []
    for path in our_files():
        if path.suffix != ".py":
            continue
        docstring = ast.get_docstring(ast.parse(path.read_text())) or ""
        if re.search(r"\?(\s|$)", docstring.split("\n\n")[0]):
            questions.append(str(path.relative_to(ROOT)))
    assert not questions, f"Say what the module is, not what it asks: {questions}"
