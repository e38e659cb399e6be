"""A run folder -> models/NAME, whole or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from digitd.daemon.errors import ExportError
from digitd.export import stream_release, utterance_release
from digitd.export.staging import Release


def release(item: Release, models_dir: Path, *, replace: bool) -> dict[str, Any]:
    """Make `models_dir`/NAME and return its metrics.

    Raises:
        ExportError: the bundle exists already, cannot be written, or the conversion did not hold.
    """
    target = models_dir / item.name
    if target.exists() and not replace:
        raise ExportError(f"{target}: exists already; name another --name, or --replace it")
    with _scratch(models_dir, target) as scratch:
        staged = scratch / "bundle"
        staged.mkdir()
        stage = utterance_release.stage if item.run.stream is None else stream_release.stage
        metrics = stage(item, staged)
        _put(staged, target, scratch / "replaced")
    return metrics


@contextmanager
def _scratch(models_dir: Path, target: Path) -> Iterator[Path]:
    """A folder beside the bundles that goes again, whatever happens."""
    try:
        models_dir.mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=models_dir, prefix=f".{target.name}-")
    except OSError as error:
        raise ExportError(f"{target}: cannot be written ({error.strerror}); name a writable --out") from error
    with folder as name:
        yield Path(name)


def _put(staged: Path, target: Path, replaced: Path) -> None:
    """Move the staged bundle to its place; where that fails, the one that was there is put back."""
    try:
        if target.exists():
            target.rename(replaced)
        staged.rename(target)
    except OSError as error:
        if replaced.exists():
            replaced.rename(target)
        raise ExportError(f"{target}: cannot be put there ({error.strerror}); name another --out") from error
