"""Public archives are fetched whole or not at all, over real HTTP from a server that misbehaves on demand."""

import dataclasses
import hashlib
import io
import json
import os
import re
import signal
import subprocess
import sys
import tarfile
import threading
import time
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from digitd.daemon.errors import FetchError
from digitd.trainer.archives import ARCHIVES, Archive, archive_of
from digitd.trainer.fetch import Fetched, fetch

Run = Callable[..., subprocess.CompletedProcess[Any]]
AT_ONCE = (0.0, 0.0)
"""Two further attempts, without a pause."""
META = json.dumps({"01": {}, "02": {}}).encode()
NAMES = ("data/01/0_01_0.wav", "data/01/9_01_1.wav", "data/02/3_02_0.wav")


def packed(files: dict[str, bytes], links: dict[str, str] | None = None) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return buffer.getvalue()


def audiomnist(size_bytes: int = 60_000) -> bytes:
    """Three recordings by two speakers, as a git host packs them; noise, so that the archive is as large."""
    files = {f"AudioMNIST-1a2b/{name}": os.urandom(size_bytes) for name in NAMES}
    return packed({**files, "AudioMNIST-1a2b/data/audioMNIST_meta.txt": META})


@dataclass
class Site:
    """What the server does, and what it was asked."""

    body: bytes
    etag: str | None = '"one"'
    date: str | None = None
    ranges: bool = True
    """Whether Range is honoured."""
    if_range: bool = True
    """Whether If-Range is heeded where Range is."""
    back: int = 0
    """How many bytes before the wanted one a part begins."""
    length: bool = True
    """Whether the size is announced; else the end of the connection is the end of the file."""
    cuts: list[int] = field(default_factory=list)
    """After how many bytes each answer breaks off; then none does."""
    statuses: list[int] = field(default_factory=list)
    """With what each answer fails; then none does."""
    stall: threading.Event | None = None
    """Waited for at each cut before the connection ends."""
    asked: list[str | None] = field(default_factory=list)
    """The Range of each request."""
    url: str = ""


class Handler(BaseHTTPRequestHandler):
    site: Site

    def do_GET(self) -> None:
        site, wanted = self.site, self.headers["Range"]
        site.asked.append(wanted)
        if site.statuses:
            self.send_error(site.statuses.pop(0))
            return
        fits = self.headers["If-Range"] in (None, site.etag or site.date) or not site.if_range
        start = int(wanted[len("bytes=") : -1]) - site.back if wanted and site.ranges and fits else 0
        if start == len(site.body):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{start}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(site.body) - 1}/{len(site.body)}")
        if site.length:
            self.send_header("Content-Length", str(len(site.body) - start))
        for name, value in (("ETag", site.etag), ("Last-Modified", site.date)):
            if value is not None:
                self.send_header(name, value)
        self.end_headers()
        end = start + site.cuts.pop(0) if site.cuts else len(site.body)
        self.wfile.write(site.body[start:end])
        if end < len(site.body) and site.stall is not None:
            self.wfile.flush()
            site.stall.wait()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 the name that http.server gives
        """Nothing: stderr is what the tests look at."""


@pytest.fixture
def site(monkeypatch: pytest.MonkeyPatch) -> Iterator[Site]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    given = Site(audiomnist())
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("SiteHandler", (Handler,), {"site": given}))
    given.url = f"http://127.0.0.1:{server.server_port}/archive.tar.gz"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield given
    if given.stall is not None:
        given.stall.set()
    server.shutdown()
    thread.join()
    server.server_close()


def archive(site: Site, **changes: Any) -> Archive:
    """The entry of the table, with the server's address and the small archive's facts."""
    facts = {"urls": (site.url,), "n_recordings": 3, "n_speakers": 2, "sha256": sha256(site.body)}
    return dataclasses.replace(archive_of("audiomnist"), **{**facts, **changes})


def sha256(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def left(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


PARTIAL = ["out.fetching", "out.fetching/archive.tar.gz.part", "out.fetching/archive.tar.gz.toml"]


def test_a_whole_archive_becomes_the_folder(site: Site, tmp_path: Path) -> None:
    out = tmp_path / "new/out"
    assert fetch(archive(site, size_bytes=len(site.body)), out) == Fetched(sha256(site.body), 3, 2)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["out"]
    assert (out / NAMES[0]).stat().st_size == 60_000
    record = tomllib.loads((out / "FETCHED.toml").read_text())
    assert (record["url"], record["sha256"], record["bytes"]) == (site.url, sha256(site.body), len(site.body))
    assert record["licence"] == "MIT"


def test_an_empty_folder_is_filled(site: Site, tmp_path: Path) -> None:
    fetch(archive(site), tmp_path)
    assert (tmp_path / NAMES[0]).is_file()


@pytest.mark.parametrize("is_file", [True, False])
def test_a_folder_in_use_is_left_alone(site: Site, tmp_path: Path, is_file: bool) -> None:
    taken = tmp_path / "out"
    (taken if is_file else taken / "mine").parent.mkdir(exist_ok=True)
    (taken if is_file else taken / "mine").write_text("mine")
    with pytest.raises(FetchError, match="out: is there already and not an empty folder"):
        fetch(archive(site), taken)
    assert (taken if is_file else taken / "mine").read_text() == "mine"
    assert site.asked == []


@pytest.mark.parametrize(("etag", "date"), [('"one"', None), (None, "Tue, 24 Nov 2020 02:00:00 GMT")])
def test_a_cut_transfer_goes_on_where_it_stopped(site: Site, tmp_path: Path, etag: str, date: str) -> None:
    site.etag, site.date, site.cuts = etag, date, [100_000]
    fetch(archive(site), tmp_path / "out", AT_ONCE)
    assert len(site.asked) == 2
    assert 80_000 < int(str(site.asked[1])[len("bytes=") : -1]) <= 100_000


def test_a_transfer_cut_too_often_goes_on_in_a_later_call(site: Site, tmp_path: Path) -> None:
    site.cuts = [50_000, 50_000, 50_000]
    with pytest.raises(FetchError, match=r"cut off at [\d,]+ bytes .*; run the same command again to go on"):
        fetch(archive(site), tmp_path / "out", AT_ONCE)
    assert left(tmp_path) == PARTIAL
    fetch(archive(site), tmp_path / "out", AT_ONCE)
    assert [asked is None for asked in site.asked] == [True, False, False, False]
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_server_without_ranges_is_started_anew(
    site: Site, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    site.ranges, site.cuts = False, [100_000]
    fetch(archive(site), tmp_path / "out", AT_ONCE)
    assert "from the start" in capsys.readouterr().out


def test_a_part_that_begins_elsewhere_is_not_joined(site: Site, tmp_path: Path) -> None:
    site.back, site.cuts = 1000, [100_000]
    fetch(archive(site), tmp_path / "out", AT_ONCE)
    assert [asked is None for asked in site.asked] == [True, False, True]


def test_what_a_killed_call_had_unpacked_is_no_part_of_the_next(site: Site, tmp_path: Path) -> None:
    (tmp_path / "out.fetching/unpacked/AudioMNIST-killed").mkdir(parents=True)
    fetch(archive(site), tmp_path / "out", ())
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


@pytest.mark.parametrize("etag", [None, 'W/"one"'])
def test_what_no_validator_vouches_for_is_not_gone_on_with(site: Site, tmp_path: Path, etag: str | None) -> None:
    site.etag, site.cuts = etag, [100_000]
    fetch(archive(site), tmp_path / "out", AT_ONCE)
    assert site.asked == [None, None]


@pytest.mark.parametrize("if_range", [True, False])
def test_a_file_that_changed_between_two_calls_is_never_mixed(site: Site, tmp_path: Path, if_range: bool) -> None:
    site.cuts = [100_000]
    with pytest.raises(FetchError, match="run the same command again"):
        fetch(archive(site, sha256=None), tmp_path / "out", ())
    site.body, site.etag, site.if_range = audiomnist(), '"two"', if_range
    pauses_s = () if if_range else (0.0,)  # a server that heeds If-Range answers at once with the whole new file
    assert fetch(archive(site, sha256=None), tmp_path / "out", pauses_s).sha256 == sha256(site.body)


def test_a_partial_of_another_address_is_not_gone_on_with(site: Site, tmp_path: Path) -> None:
    site.cuts = [100_000]
    with pytest.raises(FetchError, match="run the same command again"):
        fetch(archive(site), tmp_path / "out", ())
    fetch(archive(site, urls=(f"{site.url}?mirror",)), tmp_path / "out", ())
    assert site.asked == [None, None]


def test_a_size_that_is_not_announced(site: Site, tmp_path: Path) -> None:
    site.length = False
    fetch(archive(site), tmp_path / "out", ())
    site.cuts = [100_000]
    with pytest.raises(FetchError, match=f"ended after 100,000 of {len(site.body):,} bytes"):
        fetch(archive(site, size_bytes=len(site.body)), tmp_path / "again", ())


def test_a_cut_that_nothing_announces_is_found_by_unpacking(site: Site, tmp_path: Path) -> None:
    site.length, site.cuts = False, [100_000]
    with pytest.raises(FetchError, match=r"archive.tar.gz: cannot be unpacked \(.*; it is deleted"):
        fetch(archive(site, sha256=None), tmp_path / "out", ())
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("offset", "problem"),
    [
        (0, "Not a gzipped file"),
        (10, "invalid block type"),  # the first byte of the packed stream
        (-6, "CRC check failed"),  # gzip's own checksum, behind all members
    ],
)
def test_damage_is_found_without_a_published_checksum(site: Site, tmp_path: Path, offset: int, problem: str) -> None:
    damaged = bytearray(site.body)
    damaged[offset] = damaged[offset] ^ 0xFF | 0b110  # block type 3, at the start of the stream, is none
    site.body = bytes(damaged)
    with pytest.raises(FetchError, match=problem):
        fetch(archive(site, sha256=None), tmp_path / "out", ())
    assert left(tmp_path) == []


def test_wrong_bytes_are_deleted(site: Site, tmp_path: Path) -> None:
    wanted = archive(site, size_bytes=len(site.body))
    site.body = site.body[:-1] + b"?"
    with pytest.raises(FetchError, match=f"has the sha256 {sha256(site.body)} and not {wanted.sha256}; it is deleted"):
        fetch(wanted, tmp_path / "out", ())
    assert left(tmp_path) == []


def test_a_file_of_another_size_is_not_loaded(site: Site, tmp_path: Path) -> None:
    with pytest.raises(FetchError, match=f"has {len(site.body):,} bytes and not the 77 published"):
        fetch(archive(site, size_bytes=77), tmp_path / "out", ())
    assert left(tmp_path) == []


@pytest.mark.parametrize(("status", "n_asked"), [(404, 1), (403, 1), (500, 3), (503, 3)])
def test_a_server_that_refuses_is_named(site: Site, tmp_path: Path, status: int, n_asked: int) -> None:
    site.statuses = [status] * 3
    with pytest.raises(FetchError, match=f"{re.escape(site.url)}: the server answers {status} "):
        fetch(archive(site), tmp_path / "out", AT_ONCE)
    assert len(site.asked) == n_asked
    assert left(tmp_path) == []


def test_a_passing_failure_is_overcome(site: Site, tmp_path: Path) -> None:
    site.statuses = [503, 500]
    fetch(archive(site), tmp_path / "out", AT_ONCE)
    assert (tmp_path / "out" / NAMES[0]).is_file()


def test_nobody_at_the_address(site: Site, tmp_path: Path) -> None:
    nobody = archive(site, urls=("http://127.0.0.1:1/archive.tar.gz",))
    with pytest.raises(FetchError, match=r"127.0.0.1:1/archive.tar.gz: no answer .*Connection refused"):
        fetch(nobody, tmp_path / "out", (0.0,))
    assert left(tmp_path) == []


@pytest.mark.parametrize(
    ("files", "links", "problem"),
    [
        ({"AudioMNIST-1/../../evil": b"x"}, {}, "outside the destination"),
        ({"AudioMNIST-1/a": b"x"}, {"AudioMNIST-1/data": "../../.."}, "outside the destination"),
        ({"AudioMNIST-1/a": b"x"}, {"AudioMNIST-1/data": "/etc"}, "link to an absolute path"),
        ({"other/a": b"x"}, {}, "holds no one folder"),
        ({"AudioMNIST-1/data/readme": b"x"}, {}, r"does not hold audiomnist \(.*no speaker metadata"),
        (
            {f"AudioMNIST-1/{NAMES[0]}": b"x", "AudioMNIST-1/data/audioMNIST_meta.txt": META},
            {},
            "holds 1 recordings by 1 speakers and not 3 by 2",
        ),
    ],
)
def test_an_archive_that_is_none_is_refused(
    site: Site, tmp_path: Path, files: dict[str, bytes], links: dict[str, str], problem: str
) -> None:
    site.body = packed(files, links)
    with pytest.raises(FetchError, match=problem):
        fetch(archive(site, sha256=None), tmp_path / "deep/out", ())
    assert left(tmp_path) == ["deep"]


def on_a_full_disk(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """`digitd` where the 101st KiB of any file cannot be written."""
    limited = ["bash", "-c", 'ulimit -f 100; exec "$@"', "-", sys.executable, "-m", "digitd", *map(str, command)]
    return subprocess.run(limited, capture_output=True, text=True, timeout=60, check=False)


def test_a_full_disk_keeps_what_came(site: Site, tmp_path: Path, digitd: Run) -> None:
    command = ("data", "fetch", "audiomnist", tmp_path / "out", "--url", site.url, "--sha256", sha256(site.body))
    full = on_a_full_disk(*command)
    assert (full.returncode, full.stderr.count("\n")) == (2, 1)
    assert "out.fetching: cannot be written (File too large); make room" in full.stderr
    assert left(tmp_path) == PARTIAL
    done = digitd(*command)
    assert (done.returncode, done.stderr) == (0, "")
    assert site.asked == [None, "bytes=102400-"]


def test_a_disk_that_is_full_while_unpacking_keeps_the_archive(site: Site, tmp_path: Path, digitd: Run) -> None:
    files = {f"AudioMNIST-1/{name}": bytes(200_000) for name in NAMES}
    site.body = packed({**files, "AudioMNIST-1/data/audioMNIST_meta.txt": META})
    command = ("data", "fetch", "audiomnist", tmp_path / "out", "--url", site.url, "--sha256", sha256(site.body))
    full = on_a_full_disk(*command)
    assert (full.returncode, full.stderr.count("\n")) == (2, 1)
    assert "cannot be written (File too large)" in full.stderr
    assert left(tmp_path) == [path.removesuffix(".part") for path in PARTIAL]
    assert digitd(*command).returncode == 0
    assert len(site.asked) == 1


def test_an_interrupt_keeps_what_came(site: Site, tmp_path: Path) -> None:
    site.stall, site.cuts = threading.Event(), [100_000]
    arguments = ["data", "fetch", "audiomnist", str(tmp_path / "out"), "--url", site.url, "--sha256", sha256(site.body)]
    command = [sys.executable, "-m", "digitd", *arguments]
    part = tmp_path / PARTIAL[1]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        deadline_s = time.monotonic() + 20
        while not (part.exists() and part.stat().st_size) and time.monotonic() < deadline_s:
            time.sleep(0.02)
        with pytest.raises(FetchError, match="another fetch is at work there"):
            fetch(archive(site), tmp_path / "out", ())
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (130, "")
    assert left(tmp_path) == PARTIAL
    fetch(archive(site), tmp_path / "out", ())
    assert str(site.asked[1]).startswith("bytes=")


def test_the_terms_are_told_before_the_download(site: Site, tmp_path: Path, digitd: Run) -> None:
    site.cuts = [100_000]
    done = digitd("data", "fetch", "audiomnist", tmp_path / "out", "--url", site.url, "--sha256", sha256(site.body))
    assert (done.returncode, done.stderr) == (0, "")
    terms, _, after = done.stdout.partition("next attempt in 1 s")
    for told in ("licence   MIT, https://", "cite      Becker et al.", f"from      {site.url}", sha256(site.body)):
        assert told in terms
    assert "out: 3 recordings by 2 speakers" in after


def test_the_terms_are_told_though_the_download_fails(site: Site, tmp_path: Path, digitd: Run) -> None:
    site.statuses = [404]
    done = digitd("data", "fetch", "audiomnist", tmp_path / "out", "--url", site.url)
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert f"digitd: error: {site.url}: the server answers 404 Not Found; give another address" in done.stderr
    assert "checksum  none is published" in done.stdout


def test_a_mirror_has_to_serve_the_published_file_or_the_one_demanded(site: Site, tmp_path: Path, digitd: Run) -> None:
    site.body = packed({"free-spoken-digit-dataset-2/recordings/0_ann_0.wav": b"x"})
    command = ("data", "fetch", "fsdd", tmp_path / "out", "--url", site.url)
    other = digitd(*command)
    assert other.returncode == 2
    assert f"has {len(site.body)} bytes and not the 11,975,353 published" in other.stderr
    assert digitd(*command, "--sha256", sha256(site.body).upper()).returncode == 0
    assert left(tmp_path / "out") == ["FETCHED.toml", "recordings", "recordings/0_ann_0.wav"]


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (("fssd",), "no public archive of 'fssd'; did you mean 'fsdd'?"),
        (("fsdd", "--sha256", "12"), "--sha256 12: is no sha256"),
        (("fsdd", "--url", "archive.tar.gz"), "archive.tar.gz: is no address"),
        (("fsdd", "--url", "ftp://x/y"), "ftp://x/y: is no address"),
    ],
)
def test_a_wrong_argument_is_told_in_one_line(
    tmp_path: Path, digitd: Run, arguments: tuple[str, ...], problem: str
) -> None:
    done = digitd("data", "fetch", arguments[0], tmp_path / "out", *arguments[1:])
    assert (done.returncode, done.stderr.count("\n")) == (2, 1)
    assert problem in done.stderr
    assert left(tmp_path) == []


def test_the_table_is_sound() -> None:
    from digitd.trainer.corpora import READERS

    for entry in ARCHIVES:
        assert entry.corpus in READERS
        assert entry.urls[0].startswith("https://")
        assert entry.sha256 is None or re.fullmatch("[0-9a-f]{64}", entry.sha256)


def test_fetching_needs_no_tensorflow() -> None:
    code = "import sys, digitd.trainer.data_cli, digitd.trainer.fetch; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_an_archive_that_is_whole_but_for_its_name_is_not_loaded_again(site: Site, tmp_path: Path) -> None:
    site.cuts = [len(site.body) - 1]
    out = tmp_path / "out"
    with pytest.raises(FetchError):
        fetch(archive(site), out, pauses_s=())
    part = tmp_path / "out.fetching/archive.tar.gz.part"
    part.write_bytes(site.body)  # as a kill before the last step leaves it
    assert fetch(archive(site), out, pauses_s=()) == Fetched(sha256(site.body), 3, 2)
    assert site.asked == [None, f"bytes={len(site.body)}-"]


def test_the_root_folder_is_no_place(site: Site) -> None:
    with pytest.raises(FetchError, match="/: is no folder to make; give another DIR"):
        fetch(archive(site), Path("/"))
