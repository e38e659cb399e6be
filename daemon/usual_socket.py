"""The socket of a daemon that nobody has named."""

import os
from pathlib import Path

SYSTEM_SOCKET = Path("/run/digitd/digitd.sock")


def default_path() -> Path:
    """The socket that is meant where none is named."""
    if named := os.environ.get("DIGITD_SOCKET"):
        return Path(named)
    own = Path(os.environ.get("XDG_RUNTIME_DIR") or "/nonexistent", "digitd.sock")
    return own if own.exists() else SYSTEM_SOCKET
