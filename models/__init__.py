"""Released bundles, one folder each, and how to find them."""

from pathlib import Path

MODELS_DIR = Path(__file__).parent
"""The folder that the released bundles are in."""

DEFAULT_MODEL = "stranger"
"""The bundle that the daemon runs unless told otherwise."""


def names() -> list[str]:
    """Names of the released bundles, sorted."""
    return sorted(manifest.parent.name for manifest in MODELS_DIR.glob("*/manifest.toml"))


def locate(name_or_dir: str) -> Path | None:
    """Folder of a released bundle by its name, else `name_or_dir` itself where it is a folder, else None."""
    if name_or_dir in names():
        return MODELS_DIR / name_or_dir
    folder = Path(name_or_dir)
    return folder if folder.is_dir() else None
