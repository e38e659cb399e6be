"""Input that nobody means, at each seam where something comes in: it is refused in a clear line, and changes nothing.

The fuzz targets in tests/fuzz look at the same seams by chance; here is what they do not reach.
"""

import itertools
import os
import re
import resource
import shutil
import socket
import struct
import subprocess
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tomli_w
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import DEMO_DIGITS
from tests.daemon.conftest import COMMAND
from tests.fuzz import hostile_toml, pcm

from digitd import models
from digitd.daemon import bundle
from digitd.daemon.audio import Samples, from_pcm16
from digitd.daemon.config import DaemonConfig, effective
from digitd.daemon.errors import AudioError, BundleError, ConfigError, SinkError
from digitd.daemon.events import Digit, Stamp
from digitd.daemon.listener import open_network
from digitd.daemon.mode_switch import ModeSwitch
from digitd.daemon.settings import as_table, parse
from digitd.daemon.sinks.sink import Surroundings, open_sink
from digitd.daemon.sinks.unix_socket import UnixSocketSink
from digitd.daemon.sources.pipe import PipeSource

DIGIT = Digit("7", 0.98, 1.2, 1.6, 1.8)
BUNDLES = ("stranger", "connected", "study64")
PATIENCE_S = 5

toml_values = st.recursive(
    st.booleans() | st.integers() | st.floats() | st.text() | st.datetimes() | st.dates() | st.times(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
)


def altered(table: dict[str, Any], value: Any, data: st.DataObject) -> dict[str, Any]:
    """A plain table in which one key, at whatever depth, has another value; or with one key more."""
    key = data.draw(st.sampled_from(sorted(table)) | st.text())
    inner = table.get(key)
    if isinstance(inner, dict) and inner and data.draw(st.booleans()):
        return table | {key: altered(inner, value, data)}
    return table | {key: value}


@settings(max_examples=200, deadline=None)
@given(value=toml_values, data=st.data())
def test_a_setting_of_any_value_is_taken_or_refused_a_line_a_problem(value: Any, data: st.DataObject) -> None:
    text = tomli_w.dumps(altered(effective(DaemonConfig()), value, data))
    try:
        config = parse(DaemonConfig, text, "f.toml")
    except ConfigError as error:
        hostile_toml.refused(error, "f.toml")
    else:
        assert parse(DaemonConfig, tomli_w.dumps(effective(config)), "f.toml") == config


@settings(max_examples=200, deadline=None)
@given(kind=st.sampled_from(["", "unix:", "exec:", "stdout:", "unix:/", "unix:\0"]), name=st.text())
def test_a_sink_of_any_name_is_opened_or_refused(scratch: Path, kind: str, name: str) -> None:
    spec = kind + name.replace("/", "_").replace("..", "_")
    before = Path.cwd()
    os.chdir(scratch)
    try:
        open_sink(spec, Surroundings(threading.Event(), ModeSwitch("always"))).close()
    except SinkError as error:
        told = str(error)
        assert told
    finally:
        os.chdir(before)


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for what is made and damaged."""
    return tmp_path_factory.mktemp("scratch")


def copied(name: str, scratch: Path) -> Path:
    """A bundle, to be damaged."""
    return Path(shutil.copytree(models.MODELS_DIR / name, scratch / name, dirs_exist_ok=True))


def sign(folder: Path) -> None:
    """Let the manifest vouch for the network that is there."""
    manifest = folder / "manifest.toml"
    sha256 = bundle.sha256_of(folder / "model.onnx")
    manifest.write_text(re.sub(r'sha256 = "\w+"', f'sha256 = "{sha256}"', manifest.read_text()))


@settings(max_examples=100, deadline=None)
@given(value=toml_values, data=st.data())
def test_a_manifest_of_any_value_is_refused_or_its_network_answers(
    scratch: Path, value: Any, data: st.DataObject
) -> None:
    folder = copied("stranger", scratch)
    manifest = as_table(bundle.load("stranger").manifest)
    (folder / "manifest.toml").write_text(tomli_w.dumps(altered(manifest, value, data)), encoding="utf-8")
    with suppress(BundleError):
        open_network(bundle.load(str(folder)), "cpu")


OTHER_STEPS = [
    ("stranger", "frames_per_output", "3"),
    ("stranger", "frames_per_output", "8"),
    ("stranger", "n_fft", "128"),
]


@pytest.mark.parametrize(("name", "key", "value"), OTHER_STEPS)
def test_a_network_that_steps_otherwise_than_its_manifest_says_is_refused(
    scratch: Path, name: str, key: str, value: str
) -> None:
    manifest = copied(name, scratch) / "manifest.toml"
    manifest.write_text(re.sub(rf"^{key} = .*$", f"{key} = {value}", manifest.read_text(), flags=re.MULTILINE))
    with pytest.raises(BundleError):
        open_network(bundle.load(str(manifest.parent)), "cpu")


@settings(max_examples=200, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), value=st.integers(0, 255))
def test_a_damaged_golden_vector_is_refused_or_holds_what_it_held(scratch: Path, at: float, value: int) -> None:
    folder, whole = copied("connected", scratch), bundle.load("connected").golden
    content = bytearray((folder / "golden.npz").read_bytes())
    content[int(at * len(content))] = value
    (folder / "golden.npz").write_bytes(content)
    with suppress(BundleError):
        found = bundle.load(str(folder)).golden
        np.testing.assert_array_equal(found.samples, whole.samples)
        np.testing.assert_array_equal(found.features, whole.features)
        np.testing.assert_array_equal(found.posteriors, whole.posteriors)


@pytest.mark.parametrize("name", BUNDLES)
@pytest.mark.parametrize("share", [0, 0.001, 0.5, 0.999])
def test_a_network_that_is_cut_or_changed_in_one_bit_is_not_the_released_one(
    scratch: Path, name: str, share: float
) -> None:
    folder = copied(name, scratch)
    whole = (folder / "model.onnx").read_bytes()
    at = int(share * len(whole))
    flipped = bytearray(whole)
    flipped[at] ^= 1
    for damaged in (whole[:at], bytes(flipped)):
        (folder / "model.onnx").write_bytes(damaged)
        with pytest.raises(BundleError, match="sha256"):
            bundle.load(str(folder))


@pytest.mark.parametrize(("name", "other"), list(itertools.permutations(BUNDLES, 2)))
def test_the_network_of_another_bundle_is_refused_whatever_its_hash(scratch: Path, name: str, other: str) -> None:
    folder = copied(name, scratch)
    shutil.copy(models.MODELS_DIR / other / "model.onnx", folder)
    with pytest.raises(BundleError, match="sha256"):
        bundle.load(str(folder))
    sign(folder)
    with pytest.raises(BundleError):
        open_network(bundle.load(str(folder)), "cpu")


@pytest.mark.parametrize("name", BUNDLES)
def test_a_damaged_network_that_is_vouched_for_is_refused_or_answers_as_it_did(
    scratch: Path, name: str, capfd: pytest.CaptureFixture[str]
) -> None:
    folder, chance, refused = copied(name, scratch), np.random.default_rng(1), 0
    whole = (folder / "model.onnx").read_bytes()
    for n in range(24):
        content, at = bytearray(whole), int(chance.integers(len(whole)))
        content[:] = content[:at] if n % 4 == 0 else content
        for _ in range(3):
            content[chance.integers(min(2000, len(content)) if n % 2 else len(content))] = int(chance.integers(256))
        (folder / "model.onnx").write_bytes(content)
        sign(folder)
        try:
            open_network(bundle.load(str(folder)), "cpu")
        except BundleError:
            refused += 1
    assert refused >= 10
    assert capfd.readouterr().out == ""  # ONNX Runtime prints of its fall-backs; standard output is a sink's


@settings(max_examples=100, deadline=None)
@given(raw=st.binary(max_size=2000), cuts=st.lists(st.integers(0, 2000), max_size=40), channels=st.integers(1, 5))
def test_raw_samples_in_any_pieces_are_the_same_frames(raw: bytes, cuts: list[int], channels: int) -> None:
    reading = pcm.piped(raw, sorted({min(cut, len(raw)) for cut in cuts}))
    whole = raw[: len(raw) - len(raw) % (2 * channels)]
    frames = [np.zeros((0, channels), np.float32)]
    try:
        for block in PipeSource(16000, channels, reading).blocks(threading.Event()):
            frames.append(block.frames)  # noqa: PERF401 - extend would lose what came before the error
    except AudioError:
        assert whole != raw
    else:
        assert whole == raw
    finally:
        os.close(reading)
    np.testing.assert_array_equal(np.concatenate(frames), from_pcm16(whole, channels))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


def connected(path: Path) -> socket.socket:
    """A client that has followed no advice."""
    client = socket.socket(socket.AF_UNIX)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, struct.pack("ll", PATIENCE_S, 0))  # to be let in
    client.connect(str(path))
    client.settimeout(PATIENCE_S)
    return client


def come_and_go(path: Path, n: int) -> None:
    """One visit, each in another bad manner."""
    with connected(path) as visitor, suppress(BrokenPipeError, ConnectionResetError):
        match n % 6:
            case 0:
                visitor.sendall(b"\x00garbage\xff\n" * 20)
            case 1:
                visitor.sendall(b'{"mode":"entr')
            case 2:
                visitor.shutdown(socket.SHUT_WR)
            case 3:
                visitor.shutdown(socket.SHUT_RD)
                visitor.sendall(b"[" * 5000 + b"\n")
            case 4:
                visitor.sendall(b'{"mode":"nobody"}\n')
                visitor.recv(64)


def size() -> tuple[int, int]:
    """Descriptors that this process holds, and its resident memory in MB."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return len(list(Path("/proc/self/fd").iterdir())), pages * resource.getpagesize() // 2**20


def until_alone(sink: UnixSocketSink) -> None:
    """Those that have closed one side are looked at once a second."""
    waited = threading.Event()
    for _ in range(100):
        if sink.backlog.readers == 1:
            return
        waited.wait(0.05)
    raise AssertionError(f"{sink.backlog.readers} readers in place of one")


def test_ten_thousand_bad_visits_change_nothing_for_who_stays(path: Path) -> None:
    sink, stamp = UnixSocketSink(path, Surroundings(threading.Event(), ModeSwitch("always"))), Stamp("mic")
    with connected(path) as stays, stays.makefile() as lines:
        until_alone(sink)
        before = (0, 0)
        for n in range(10_000):
            come_and_go(path, n)
            if n % 100 == 0:
                event = stamp.event(DIGIT)
                sink.publish(event)
                assert lines.readline() == event.to_json() + "\n"
            if n == 2_000:  # what Python takes at first, it keeps
                until_alone(sink)
                before = size()
        until_alone(sink)
        descriptors, resident_mb = size()
        assert descriptors == before[0]
        assert resident_mb - before[1] <= 2
    sink.close()
    assert sink._switch.wanted == "always"


@pytest.fixture
def narrow(path: Path) -> Iterator["subprocess.Popen[bytes]"]:
    """A daemon that may open 256 files."""
    command = ["prlimit", "--nofile=256:256", *COMMAND, "run", "--source", "-", "--sink", f"unix:{path}"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.PIPE, bufsize=0) as daemon:
        while not path.exists():
            assert daemon.poll() is None
        yield daemon
        daemon.kill()


def test_more_clients_than_it_can_hold_change_nothing_for_who_was_there(
    narrow: "subprocess.Popen[bytes]", path: Path, demo: Samples
) -> None:
    assert narrow.stdin is not None
    with ExitStack() as stack:
        stays = stack.enter_context(connected(path))
        lines = stack.enter_context(stays.makefile())
        assert '"ready"' in lines.readline()
        crowd = [stack.enter_context(connected(path)) for _ in range(600)]
        narrow.stdin.write(np.round(demo * 32768).astype("<i2").tobytes())
        narrow.stdin.close()
        rest = lines.read()
        assert "".join(re.findall(r'"digit":"(\d)"', rest)) == DEMO_DIGITS
        assert '"end"' in rest
        assert len(crowd) == 600
    assert narrow.stderr is not None
    assert narrow.stderr.read().count(b"\n") == 1  # that some were turned away, not once for each
    assert narrow.wait() == 0
