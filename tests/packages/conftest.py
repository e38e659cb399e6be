"""What the tests of the packages share: one `make dist`, one `make deb`, and what git knows of the sources."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.conftest import ROOT

import digitd

STAMP = ".venv/installed-cpu"
"""`make -o`: the .venv that runs the tests is not installed once more."""
COMMENT = "# new in 99\n"
"""What a later package's digitd.toml has at its end."""


def make(target: str, destination: Path, umask: int = 0o022, **environment: str) -> subprocess.CompletedProcess[str]:
    """`make dist` or `make deb` of the working tree, with what comes out in `destination`."""
    command = ["make", "-o", STAMP, target, f"DIST={destination}"]
    given = {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, env=given, umask=umask, capture_output=True, text=True, check=False)


def sources(*folders: str) -> set[str]:
    """The files of some folders of the repository that git knows, or would add, and that are there."""

    def listed(*flags: str) -> set[str]:
        command = ["git", "ls-files", "-z", *flags, "--exclude-standard", *folders]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
        return set(filter(None, done.stdout.split("\0")))

    return listed("--cached", "--others") - listed("--deleted")


@pytest.fixture(scope="session")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that `make dist` has filled."""
    folder = tmp_path_factory.mktemp("dist")
    done = make("dist", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


@pytest.fixture(scope="session")
def sdist(dist: Path) -> Path:
    """The source distribution."""
    (path,) = dist.glob("digitd-*.tar.gz")
    return path


@pytest.fixture(scope="session")
def wheel(dist: Path) -> Path:
    """The wheel."""
    (path,) = dist.glob("digitd-*.whl")
    return path


@pytest.fixture(scope="session")
def deb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Debian package, with what dpkg-buildpackage tells of it beside it."""
    folder = tmp_path_factory.mktemp("deb")
    done = make("deb", folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (path,) = folder.glob("digitd_*.deb")
    return path


@pytest.fixture(scope="session")
def newer(deb: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same package in a later version, whose digitd.toml has another comment."""
    folder = tmp_path_factory.mktemp("newer")
    subprocess.run(["dpkg-deb", "--raw-extract", deb, folder / "tree"], check=True)
    control = folder / "tree/DEBIAN/control"
    control.write_text(control.read_text().replace(f"Version: {digitd.__version__}", "Version: 99"))
    with (folder / "tree/etc/digitd/digitd.toml").open("a") as config:
        config.write(COMMENT)
    later = folder / "digitd_99.deb"
    subprocess.run(["dpkg-deb", "-Znone", "--build", folder / "tree", later], check=True, capture_output=True)
    shutil.rmtree(folder / "tree")
    return later
