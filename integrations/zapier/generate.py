"""Writes `events.json`, the types of events with their meaning and an example, from the OpenAPI document.

python integrations/zapier/generate.py           # writes the file
python integrations/zapier/generate.py --check   # exit status 1 if it would change
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Final

_HERE: Final = Path(__file__).resolve().parent
_ROOT: Final = _HERE.parent.parent
_TARGET: Final = _HERE / "events.json"


def event_samples() -> str:
    """A JSON object: type → `meaning` and `sample`, which is a whole body."""
    document = json.loads((_ROOT / "openapi.json").read_text(encoding="utf-8"))
    samples = {
        event_type: {
            "meaning": item["post"]["summary"].replace("`", ""),
            "sample": item["post"]["requestBody"]["content"]["application/json"]["example"],
        }
        for event_type, item in document["webhooks"].items()
    }
    return json.dumps(samples, indent=2, ensure_ascii=False) + "\n"


def main() -> int:
    text = event_samples()
    if "--check" not in sys.argv[1:]:
        _TARGET.write_text(text, encoding="utf-8")
        return 0
    is_current = _TARGET.read_text(encoding="utf-8") == text
    if not is_current:
        sys.stderr.write("Not current: events.json. Run: python integrations/zapier/generate.py\n")
    return 0 if is_current else 1


if __name__ == "__main__":
    sys.exit(main())
