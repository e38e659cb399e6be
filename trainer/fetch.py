"""A public archive becomes a folder, whole or not at all: download, checksum, unpack, read, rename.

All work is done in `DIR.fetching`, beside DIR, so that the last step is one rename.
"""

import fcntl
import gzip
import hashlib
import os
import platform
import shutil
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import tomli_w
from tqdm import tqdm

from digitd.daemon.errors import CorpusError, FetchError
from digitd.trainer import corpora
from digitd.trainer.archives import Archive
from digitd.trainer.download import PAUSES_S, Download

RECORD = "FETCHED.toml"


class _WrongArchiveError(FetchError):
    """The archive came whole and is not the right one: no use in keeping it."""


@dataclass(frozen=True)
class Fetched:
    """What was put in its place."""

    sha256: str
    n_recordings: int
    n_speakers: int


def fetch(archive: Archive, folder: Path, pauses_s: tuple[float, ...] = PAUSES_S) -> Fetched:
    """What `folder` now holds; on an error it is as it was, and what came is kept beside it if it is of use.

    Raises:
        FetchError: the folder is in use, or the archive cannot be had, checked, unpacked or read.
    """
    if not hasattr(tarfile, "data_filter"):  # PEP 706: no member may leave the folder
        raise FetchError(
            f"unpacking safely needs Python 3.11.4 or newer, this is {platform.python_version()}; update it"
        )
    folder = folder.resolve()
    if not folder.name:
        raise FetchError(f"{folder}: is no folder to make; give another DIR")
    work = folder.with_name(f"{folder.name}.fetching")
    download = Download(archive.urls[0], work / "archive.tar.gz", archive.size_bytes, pauses_s)
    try:
        _check_free(folder)
        with _alone(work):
            try:
                download.run()
                fetched = _placed(archive, download, folder)
            except _WrongArchiveError:
                download.forget()
                raise
            finally:
                shutil.rmtree(work / "unpacked", ignore_errors=True)
            download.forget()
    except OSError as error:
        raise FetchError(
            f"{error.filename or work}: cannot be written ({error.strerror or error}); make room or give another DIR, "
            "then run the same command again to go on"
        ) from error
    return fetched


def _check_free(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FetchError(f"{folder}: is there already and not an empty folder; give another DIR or take it away")


@contextmanager
def _alone(work: Path) -> Iterator[None]:
    """The working folder, held against a second fetch and gone if nothing is left in it."""
    work.mkdir(parents=True, exist_ok=True)
    handle = os.open(work, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise FetchError(f"{work}: another fetch is at work there; wait for it or give another DIR") from error
        try:
            yield
        finally:
            with suppress(OSError):  # not empty: something is kept for the next call
                work.rmdir()
    finally:
        os.close(handle)


def _placed(archive: Archive, download: Download, folder: Path) -> Fetched:
    sha256 = _verified(archive, download)
    top = _unpacked(archive, download)
    fetched = _read(archive, top, download.url, sha256)
    record = {
        "corpus": archive.corpus,
        "url": download.url,
        "sha256": sha256,
        "bytes": download.path.stat().st_size,
        "licence": archive.licence,
        "licence_url": archive.licence_url,
        "citation": archive.citation,
        "date": datetime.now(UTC).date(),
    }
    (top / RECORD).write_text(tomli_w.dumps(record), encoding="utf-8")
    top.rename(folder)
    return fetched


def _verified(archive: Archive, download: Download) -> str:
    with download.path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    if archive.sha256 not in (None, sha256):
        raise _WrongArchiveError(
            f"{download.url}: has the sha256 {sha256} and not {archive.sha256}; it is deleted: run the same command "
            "again, or give another address with --url"
        )
    return sha256


def _unpacked(archive: Archive, download: Download) -> Path:
    """The corpus's folder in the unpacked archive."""
    target = download.path.with_name("unpacked")
    shutil.rmtree(target, ignore_errors=True)  # of a call that was killed
    try:
        with gzip.open(download.path) as file, tarfile.open(fileobj=file) as tar:
            members = tqdm(tar, desc="unpack", unit=" files", disable=None)
            tar.extractall(target, members, filter="data")
            while file.read(1 << 20):  # gzip's own checksum stands behind the last byte, which tar does not read
                pass
    except (tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise _WrongArchiveError(
            f"{download.url}: cannot be unpacked ({error}); it is deleted: run the same command again, or give "
            "another address with --url"
        ) from error
    tops = [target] if archive.top == "." else sorted(target.glob(archive.top))
    if len(tops) != 1:
        raise _WrongArchiveError(f"{download.url}: holds no one folder {archive.top}; give another address with --url")
    return tops[0]


def _read(archive: Archive, top: Path, url: str, sha256: str) -> Fetched:
    try:
        recordings = corpora.read(archive.corpus, top)
    except CorpusError as error:
        raise _WrongArchiveError(
            f"{url}: does not hold {archive.corpus} ({error}); give another address with --url"
        ) from error
    fetched = Fetched(sha256, len(recordings), len({recording.speaker for recording in recordings}))
    wanted = (archive.n_recordings, archive.n_speakers)
    if archive.sha256 is None and (fetched.n_recordings, fetched.n_speakers) != wanted:
        raise _WrongArchiveError(
            f"{url}: holds {fetched.n_recordings} recordings by {fetched.n_speakers} speakers and not {wanted[0]} by "
            f"{wanted[1]}; give another address with --url, or demand just this archive with --sha256 {sha256}"
        )
    return fetched
