"""Where what was computed once is kept; any of it may be deleted at any time."""

import os
from pathlib import Path

VARIABLE = "DIGITD_CACHE"


def folder(name: str) -> Path:
    """`$DIGITD_CACHE/NAME`, else `digitd/NAME` in the user's cache folder."""
    if given := os.environ.get(VARIABLE):
        return Path(given) / name
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "digitd" / name
