"""Bundles, one folder each, and how to find them: the released ones, and those that were made for one person."""

import os
from contextlib import suppress
from pathlib import Path

MODELS_DIR = Path(__file__).parent
"""The folder that the released bundles are in."""

SERVICE_DIR = Path("/var/lib/digitd/models")
"""Bundles of this machine, which the system's service finds too."""

DEFAULT_MODEL = "stranger"
"""The bundle that the daemon runs unless told otherwise."""


def own_dir() -> Path:
    """The folder of the user's own bundles, in $XDG_DATA_HOME; it may not be there."""
    data = os.environ.get("XDG_DATA_HOME") or os.path.expanduser("~/.local/share")  # noqa: PTH111 - raises nothing
    return Path(data, "digitd", "models")


def folders() -> tuple[Path, ...]:
    """Where bundles are looked for: a released one is never hidden by one of its name elsewhere."""
    return MODELS_DIR, own_dir(), SERVICE_DIR


def names() -> list[str]:
    """Names of all bundles, sorted."""
    return sorted(_bundles())


def locate(name_or_dir: str) -> Path | None:
    """Folder of a bundle by its name, else `name_or_dir` itself where it is a folder, else None."""
    if found := _bundles().get(name_or_dir):
        return found
    folder = Path(name_or_dir)
    return folder if folder.is_dir() else None


def _bundles() -> dict[str, Path]:
    """Name -> folder. One whose name begins with a dot is being written."""
    found: dict[str, Path] = {}
    for folder in reversed(folders()):
        with suppress(PermissionError):  # a home that is another user's holds nothing that could be run
            for manifest in folder.glob("*/manifest.toml"):
                if not manifest.parent.name.startswith("."):
                    found[manifest.parent.name] = manifest.parent
    return found
