"""One file over HTTP that goes on where it stopped, in the same call or in a later one.

`PATH.part` grows, `PATH.toml` tells whose bytes they are, `PATH` appears when all are there.
"""

import re
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import requests
import tomli_w
import urllib3
from tqdm import tqdm

from digitd.daemon.errors import FetchError

CHUNK_BYTES = 16 * 1024
"""At most this much is lost when a transfer is cut."""
TIMEOUTS_S = (10, 60)
"""To connect, and of silence after that."""
PAUSES_S = (1.0, 3.0, 9.0)
"""Before each further attempt of one call."""
PASSING = (408, 429, 500, 502, 503, 504)
"""Statuses after which the same request may succeed."""


class _CutError(Exception):
    """An attempt ended early; another one may go on."""


@dataclass(frozen=True)
class Download:
    """One file from one address."""

    url: str
    path: Path
    size_bytes: int | None
    """What was published; None if nobody did."""
    pauses_s: tuple[float, ...] = PAUSES_S

    def run(self) -> None:
        """After this, `path` holds the whole file.

        Raises:
            FetchError: the server refuses, serves another file, or the transfer was cut too often; what came is kept.
        """
        if self.path.is_file() and self._source().get("url") == self.url:
            return
        for pause_s in (*self.pauses_s, None):
            try:
                self._attempt()
                return
            except _CutError as cut:
                if pause_s is None:
                    remedy = "run the same command again to go on" if _size(self._part) else "try again, or with --url"
                    raise FetchError(f"{self.url}: {cut}; {remedy}") from cut
                print(f"{cut}; next attempt in {pause_s:g} s", flush=True)
                time.sleep(pause_s)

    def forget(self) -> None:
        """Delete all that came."""
        for path in (self.path, self._part, self._toml):
            path.unlink(missing_ok=True)

    @property
    def _part(self) -> Path:
        return self.path.with_name(f"{self.path.name}.part")

    @property
    def _toml(self) -> Path:
        return self.path.with_name(f"{self.path.name}.toml")

    def _source(self) -> dict[str, Any]:
        try:
            return tomllib.loads(self._toml.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):  # none yet, or half-written on a full disk
            return {}

    def _attempt(self) -> None:
        source = self._source()
        # without a validator nobody can tell whether the rest belongs to the same file
        known = source.get("url") == self.url and bool(source.get("validator"))
        start = _size(self._part) if known else 0
        # what is measured and resumed are the bytes of the file, not of a packed form of it
        headers = {"Accept-Encoding": "identity"}
        if start:
            headers |= {"Range": f"bytes={start}-", "If-Range": source["validator"]}
        try:
            with requests.get(self.url, headers=headers, stream=True, timeout=TIMEOUTS_S) as response:
                if start and response.headers.get("Content-Range") == f"bytes */{start}":
                    self._part.rename(self.path)  # nothing was missing but this
                    return
                self._receive(response, self._begun(response, start, source))
        except urllib3.exceptions.HTTPError as error:
            raise _CutError(f"cut off at {_size(self._part):,} bytes ({_root(error)})") from error
        except requests.RequestException as error:
            if isinstance(error, ValueError):
                raise FetchError(f"{self.url}: is no address ({error}); give one with --url") from error
            raise _CutError(f"no answer ({_root(error)})") from error

    def _begun(self, response: requests.Response, start: int, source: Mapping[str, Any]) -> int:
        """The offset of the first byte that the server sends."""
        status = f"{response.status_code} {response.reason}"
        if response.status_code in PASSING:
            raise _CutError(f"the server answers {status}")
        if response.status_code not in (200, 206, 416):
            raise FetchError(f"{self.url}: the server answers {status}; give another address with --url")
        if response.status_code == 200:
            if start:
                print("the file has changed or the server cannot go on within it; from the start", flush=True)
            self.forget()
            source = {"url": self.url, "validator": _validator(response.headers)}
            self._toml.write_text(tomli_w.dumps(source), encoding="utf-8")
            return 0
        begins = re.match(r"bytes (\d+)-", response.headers.get("Content-Range", ""))
        same = _validator(response.headers) in ("", source.get("validator"))  # a 206 need not repeat the date
        if begins is None or int(begins[1]) != start or not same:
            self.forget()
            raise _CutError(f"the server cannot go on at {start:,} bytes; from the start")
        return start

    def _receive(self, response: requests.Response, start: int) -> None:
        announced = response.headers.get("Content-Length", "")
        total = start + int(announced) if announced.isdigit() else None
        if None not in (total, self.size_bytes) and total != self.size_bytes:
            self.forget()
            raise FetchError(
                f"{self.url}: has {total:,} bytes and not the {self.size_bytes:,} published: it is another file; "
                "give another address with --url"
            )
        total = total or self.size_bytes
        options = {"unit": "B", "unit_scale": True, "disable": None}
        with self._part.open("ab") as file, tqdm(total=total, initial=start, desc="download", **options) as bar:
            for chunk in response.raw.stream(CHUNK_BYTES, decode_content=False):
                file.write(chunk)
                bar.update(len(chunk))
        if total is not None and _size(self._part) < total:
            raise _CutError(f"ended after {_size(self._part):,} of {total:,} bytes")
        self._part.rename(self.path)


def _validator(headers: Mapping[str, str]) -> str:
    """What If-Range may name: a strong ETag, else the date."""
    etag = headers.get("ETag", "")
    return etag if etag.startswith('"') else headers.get("Last-Modified", "")


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _root(error: BaseException) -> str:
    """The innermost reason: requests and urllib3 wrap it in several layers of their own."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return str(error) or type(error).__name__
