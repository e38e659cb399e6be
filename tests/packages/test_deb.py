"""The Debian package: right by lintian, installs into a bare Debian, hears, is upgraded, removed and purged."""

import configparser
import re
import shutil
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
from tests.conftest import DEMO, DEMO_DIGITS, ROOT
from tests.packages.conftest import COMMENT, make
from tests.packages.root import Root, why_not

import digitd

pytestmark = pytest.mark.slow
CONFIG = "etc/digitd/digitd.toml"
NOT_TO_RUN = {"gpu", "train", "dev"}
"""Extras that a program which runs has no use for, or only in another's place."""

OF_EXTRAS = (
    "onnx",
    "onnxruntime",
    "prometheus_client",
    "pyaudio",
    "stdnum.luhn",
    "textual.app",
    "websockets.sync.server",
)
"""Modules that the commands import once they are called."""


@pytest.fixture(scope="module")
def root(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Root:
    """A Debian in which the package is not installed; each test leaves it so."""
    if reason := why_not():
        pytest.skip(reason)
    return Root(tmp_path_factory.mktemp("debian") / "root", deb)


def test_lintian_has_nothing_against_it(deb: Path) -> None:
    (changes,) = deb.parent.glob("*.changes")
    command = ["lintian", "--allow-root", "--fail-on", "error,warning", "--tag-display-limit", "0", str(changes)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_it_has_all_that_its_commands_may_ask_for() -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    (line,) = (line for line in (ROOT / "debian/rules").read_text().splitlines() if line.startswith("EXTRAS"))
    assert set(line.partition(":=")[2].strip().split(",")) == set(setup["options.extras_require"]) - NOT_TO_RUN


def test_it_depends_on_the_one_python_that_its_libraries_are_for(deb: Path) -> None:
    fields = subprocess.run(["dpkg-deb", "--field", deb, "Depends"], capture_output=True, text=True, check=True).stdout
    contents = subprocess.run(["dpkg-deb", "--contents", deb], capture_output=True, text=True, check=True).stdout
    python = fields.partition(",")[0]
    assert python.startswith("python3.")
    assert f"./usr/lib/digitd/bin/python -> ../../../bin/{python}\n" in contents
    assert f"./usr/lib/digitd/lib/{python}/site-packages/digitd/__main__.py" in contents
    assert "libportaudio2" in fields


def test_the_copyright_names_every_library_that_it_brings(deb: Path, tmp_path: Path) -> None:
    subprocess.run(["dpkg-deb", "--extract", deb, tmp_path], check=True)
    (libraries,) = tmp_path.glob("usr/lib/digitd/lib/python3.*/site-packages")
    told = (ROOT / "debian/copyright").read_text(encoding="utf-8")
    patterns = [
        pattern for line in re.findall("^Files: (.*)$", told, re.M) for pattern in line.split() if pattern != "*"
    ]
    own = {"digitd", "__pycache__"}
    brought = {path.name for path in libraries.iterdir() if path.suffix != ".dist-info"} - own
    paths = [f"{name}/x" if (libraries / name).is_dir() else name for name in brought]
    assert [path for path in paths if not any(fnmatch(path, pattern) for pattern in patterns)] == []


def test_it_installs_hears_and_leaves_nothing_when_it_is_purged(root: Root, deb: Path) -> None:
    before = root.paths()
    root.install(deb)
    shutil.copy(DEMO, root.folder / "tmp")
    somebody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "env", "HOME=/nonexistent"]
    heard = root.run(*somebody, "digitd", "run", "--source", "/tmp/demo.flac", "--sink", "stdout:strings")
    assert (heard.stdout, heard.stderr) == (f"{DEMO_DIGITS}\n", "")
    assert root.run("digitd", "--version").stdout == f"digitd {digitd.__version__}\n"
    root.run("/usr/lib/digitd/bin/python", "-I", "-W", "error", "-c", f"import {', '.join(OF_EXTRAS)}")
    assert root.run("id", "-nG", "digitd").stdout.split() == ["digitd", "audio"]
    root.run("systemd-analyze", "verify", "--man=no", "digitd.service", "digitd.socket")
    enabled = root.run("systemctl", "is-enabled", "digitd.service", "digitd.socket", check=False)
    assert enabled.stdout.split() == ["disabled", "disabled"]

    root.run("apt-get", "remove", "-y", "digitd")
    left = root.paths() - before
    assert left == {f"./{path}" for path in ("etc/digitd", CONFIG)}
    root.run("apt-get", "purge", "-y", "digitd")
    assert root.paths() == before


def test_an_upgrade_keeps_an_edited_configuration_and_takes_a_new_one_where_it_was_not(
    root: Root, deb: Path, newer: Path
) -> None:
    config = root.folder / CONFIG
    root.install(deb)
    root.install(newer)
    assert config.read_text().endswith(COMMENT)
    root.run("apt-get", "purge", "-y", "digitd")

    root.install(deb)
    mine = config.read_text() + "# mine\n"
    config.write_text(mine)
    root.install(newer)
    assert config.read_text() == mine
    assert config.with_name("digitd.toml.dpkg-dist").read_text().endswith(COMMENT)
    root.run("apt-get", "purge", "-y", "digitd")
    assert not config.parent.exists()


def test_two_builds_give_the_same_bytes(deb: Path, tmp_path: Path) -> None:
    done = make("deb", tmp_path, umask=0o027, TZ="Asia/Tokyo")
    assert done.returncode == 0, done.stdout + done.stderr
    assert (tmp_path / deb.name).read_bytes() == deb.read_bytes()
