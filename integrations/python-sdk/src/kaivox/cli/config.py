"""The file that `kaivox login` writes: keys, address, and the secret of `kaivox listen`.

`$KAIVOX_CONFIG`, else `~/.config/kaivox/config.json`; only its owner can read it.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from kaivox import KaiVox, KaiVoxError
from kaivox.webhooks import new_secret


def path() -> Path:
    named = os.environ.get("KAIVOX_CONFIG")
    if named:
        return Path(named)
    home = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return Path(home) / "kaivox" / "config.json"


def read() -> dict[str, Any]:
    """The content of the file; empty without one. Raises KaiVoxError if it cannot be read."""
    try:
        content = json.loads(path().read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise KaiVoxError(f"{path()} cannot be read: {error}") from None
    return content if isinstance(content, dict) else {}


def write(content: dict[str, Any]) -> None:
    """Replaces the file as a whole. Raises KaiVoxError if it cannot be written."""
    target = path()
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        # A temporary file has mode 0600 from the start.
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=target.name)
        with open(descriptor, "w", encoding="utf-8") as file:
            json.dump(content, file, indent=2)
        Path(name).replace(target)
    except OSError as error:
        raise KaiVoxError(f"{target} cannot be written: {error}") from None


def save_login(key: str, client: KaiVox) -> None:
    """Stores a key with the address that it is for: it is never sent to another one."""
    account = {"api_key": key, "url": client.base_url}
    write({**read(), _account_of(sandbox=not client.livemode): account})


def listen_secret() -> str:
    """The secret with which `kaivox listen` signs: always the same on this machine."""
    content = read()
    secret = content.get("listen_secret")
    if not isinstance(secret, str):
        secret = new_secret()
        write({**content, "listen_secret": secret})
    return secret


def connect(*, sandbox: bool) -> KaiVox:
    """A client with key and address of the environment, else those of `kaivox login`.

    Raises KaiVoxError where neither has a key.
    """
    variable = "KAIVOX_TEST_API_KEY" if sandbox else "KAIVOX_API_KEY"
    if os.environ.get(variable):
        return KaiVox(sandbox=sandbox or None)
    account = read().get(_account_of(sandbox=sandbox))
    if not isinstance(account, dict):
        option = " --sandbox" if sandbox else ""
        raise KaiVoxError(f"Not logged in. Run: kaivox login{option}, or set {variable}.")
    return KaiVox(account.get("api_key"), base_url=account.get("url"), sandbox=sandbox)


def _account_of(*, sandbox: bool) -> str:
    return "sandbox" if sandbox else "live"
