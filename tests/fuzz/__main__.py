"""Random requests generated from openapi.json, sent to a server as in production.

    make fuzz (ten minutes), or  make fuzz ARGS="--examples 3": the same requests each time

Schemathesis, all its checks: valid and invalid data, sequences of calls along the document's
links. It fails on a server error, an undocumented response, or accepted invalid data.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.stack import ROOT, Stack, running_stack

# Of each operation, before other phases begin; all are repeated until the time is up.
_EXAMPLES = 100
CONFIG = Path(__file__).with_name("schemathesis.toml")

# A quota that no run reaches; requests are counted nevertheless.
_PREPARE = """
from datetime import timedelta
from django.utils import timezone
from kaivox.businesses.models import Business
from ratelimits.models import QuotaOverride
QuotaOverride.objects.create(
    business=Business.objects.get(slug="smile-dental"), per_minute=10**7, per_day=10**7,
    ends_at=timezone.now() + timedelta(days=1),
)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--seconds", type=int, default=600)
    length.add_argument(
        "--examples",
        type=int,
        help="of each operation, the same in each run however fast the machine is: what CI sends",
    )
    parser.add_argument("--only", help="a regular expression of operation ids")
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        running_stack(
            Path(folder),
            RATE_LIMIT_SHADOW="1",  # keys are left out on purpose, from one address
        ) as stack,
    ):
        stack.manage("shell", "--no-imports", "-c", _PREPARE)
        key = stack.manage("issue_api_key", "--business", "smile-dental", "--name", "fuzz")
        status = subprocess.run(_command(stack, key, options), cwd=folder, check=False).returncode
        crashes = [line for line in stack.log.read_text().splitlines() if "Crash in" in line]
    for line in crashes:
        print(line)
    return status or bool(crashes)


def _command(stack: Stack, key: str, options: argparse.Namespace) -> list[str]:
    command = [
        str(Path(sys.executable).with_name("schemathesis")), "--config-file", str(CONFIG),
        "run", str(ROOT / "openapi.json"), "--url", stack.url, "--header", f"X-API-Key: {key}",
    ]  # fmt: skip
    command += ["--max-examples", str(options.examples or _EXAMPLES)]
    command += (
        ["--generation-deterministic"] if options.examples else ["--max-time", str(options.seconds)]
    )
    if options.only:
        command += ["--include-operation-id-regex", options.only]
    return command


if __name__ == "__main__":
    sys.exit(main())
