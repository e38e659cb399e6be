"""What the tests of the installation share: one real `make install`, and a real systemd that runs it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import ROOT
from tests.systemd.box import Box, why_not

STAMP = ".venv/installed-cpu,mic"
"""`make -o`: the .venv that runs the tests is not installed once more."""


def make(target: str, destination: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """`make install` or `make uninstall` for PREFIX=/usr under `destination`."""
    given = {"DESTDIR": str(destination), "PREFIX": "/usr", **variables}
    command = ["make", "-o", STAMP, target, *(f"{name}={value}" for name, value in given.items())]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The DESTDIR of an installation; it is for looking at."""
    destination = tmp_path_factory.mktemp("installed")
    done = make("install", destination)
    assert done.returncode == 0, done.stderr
    return destination


@pytest.fixture
def copy(installed: Path, tmp_path: Path) -> Path:
    """The DESTDIR of an installation that may be spoilt."""
    subprocess.run(["cp", "-a", installed, tmp_path / "copy"], check=True)
    return tmp_path / "copy"


@pytest.fixture(scope="session")
def boot(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Box]]:
    """Boots a systemd with digitd installed, and kills it in the end; skips where that takes rights that we lack."""
    if reason := why_not():
        pytest.skip(reason)
    boxes: list[Box] = []

    def booted() -> Box:
        boxes.append(Box(tmp_path_factory.mktemp("box"), installed))
        return boxes[-1]

    yield booted
    for box in boxes:
        box.close()


@pytest.fixture(scope="session")
def box(boot: Callable[[], Box]) -> Box:
    """A systemd with digitd and a PulseAudio whose only microphone is the monitor of a null sink."""
    machine = boot()
    machine.plug_in_a_microphone()
    return machine


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """Enough for systemd-analyze --user."""
    return {**os.environ, "XDG_RUNTIME_DIR": str(tmp_path)}
