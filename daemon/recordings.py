"""Names of recordings -> files: on this machine, in folders, in whatever store fsspec reaches (s3://, gs://)."""

import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from digitd.daemon.errors import AudioError

SUFFIXES = (".wav", ".flac")
_OWN_ERRORS = {"aiohttp": "ClientError", "botocore.exceptions": "BotoCoreError", "gcsfs.retry": "HttpError"}
"""What a store's library raises that is no OSError; looked for only where it is loaded."""


def listed(names: Iterable[str]) -> list[str]:
    """The recordings that are meant, in order: of a folder all that are in it, at any depth.

    Raises:
        AudioError: a folder holds none, or a store cannot be asked.
    """
    return [recording for name in names for recording in _listed(name)]


@contextmanager
def at_hand(name: str) -> Iterator[Path]:
    """A recording as a file; one from a store is fetched, and is gone afterwards.

    Raises:
        AudioError: it cannot be fetched, or what was done with it went wrong.
    """
    if not _is_url(name):
        yield Path(name)
        return
    with tempfile.TemporaryDirectory(prefix="digitd-") as folder:
        path = Path(folder, name.rpartition("/")[2])
        store, inside = _store(name)
        try:
            store.get_file(inside, str(path))
        except _store_errors() as error:
            raise AudioError(f"{name}: cannot be fetched ({_why(error)})") from error
        try:
            yield path
        except AudioError as error:
            raise type(error)(str(error).replace(str(path), name)) from error


def _listed(name: str) -> list[str]:
    if not _is_url(name):
        folder = Path(name)
        if not folder.is_dir():
            return [name]
        found = [str(path) for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    elif name.lower().endswith(SUFFIXES) and "*" not in name:
        return [name]
    else:
        store, inside = _store(name)
        try:
            paths = store.glob(inside) if "*" in name else store.find(inside)
        except _store_errors() as error:
            raise AudioError(f"{name}: cannot be listed ({_why(error)}); name what is there and may be read") from error
        found = [store.unstrip_protocol(path) for path in paths if path.lower().endswith(SUFFIXES)]
    if not found:
        raise AudioError(f"{name}: holds no WAV or FLAC file; name a folder of recordings")
    return sorted(found)


def _is_url(name: str) -> bool:
    return "://" in name


def _store(name: str) -> tuple[Any, str]:
    """The file system of a URL, and the path in it."""
    from fsspec.core import url_to_fs

    try:
        store, inside = url_to_fs(name)
    except (ValueError, ImportError) as error:
        raise AudioError(f"{name}: nothing here reaches it ({_why(error)})") from error
    return store, inside


def _store_errors() -> tuple[type[Exception], ...]:
    """What a store raises."""
    own = (getattr(sys.modules[module], error) for module, error in _OWN_ERRORS.items() if module in sys.modules)
    return (OSError, ValueError, *own)


def _why(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
