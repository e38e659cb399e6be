"""What the tests of the packages share: one `make dist`, one `make deb`, and what git knows of the sources."""

import os
import subprocess
from pathlib import Path

import pytest
from tests.conftest import ROOT

STAMP = ".venv/installed-cpu"
"""`make -o`: the .venv that runs the tests is not installed once more."""


def make(target: str, destination: Path, umask: int = 0o022, **environment: str) -> subprocess.CompletedProcess[str]:
    """`make dist` or `make deb` of the working tree, with what comes out in `destination`."""
    command = ["make", "-o", STAMP, target, f"DIST={destination}"]
    given = {**os.environ, **environment}
    return subprocess.run(command, cwd=ROOT, env=given, umask=umask, capture_output=True, text=True, check=False)


def sources(*folders: str) -> set[str]:
    """The files of some folders of the repository that git knows, or would add."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", *folders]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return set(filter(None, done.stdout.split("\0")))


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
