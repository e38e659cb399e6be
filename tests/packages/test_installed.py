"""sdist and wheel, each in an empty environment and away from the sources: they run, and hear what the tree hears."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tests.conftest import DEMO, DEMO_DIGITS, ROOT
from tests.packages.conftest import sources
from tests.packages.test_dist import unpacked

import digitd
from digitd import models

pytestmark = pytest.mark.slow


def interpreter(minor: str) -> str:
    """Python 3.`minor`, where this machine has it; the tests' own where it is that."""
    if sys.version_info[:2] == (3, int(minor)):
        return sys.executable
    path = shutil.which(f"python3.{minor}")
    if path is None or subprocess.run([path, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"no python3.{minor} in $PATH")
    return path


@pytest.fixture(scope="module", params=["sdist 11", "wheel 11", "wheel 12", "wheel 13"])
def program(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`digitd` in an environment that has nothing but digitd[cpu], as pipx makes it, for each Python that it is for."""
    kind, minor = request.param.split()
    package: Path = request.getfixturevalue(kind)
    folder = tmp_path_factory.mktemp(f"{kind}{minor}")
    subprocess.run([interpreter(minor), "-m", "venv", folder / "venv"], check=True)
    environment = {**os.environ, "PIP_CONSTRAINT": str(ROOT / "constraints.txt")}
    command: list[str | Path] = [
        folder / "venv/bin/python",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--disable-pip-version-check",
        f"{package}[cpu]",
    ]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    shutil.copy(DEMO, folder)
    return folder / "venv/bin/digitd"


def called(program: Path, *arguments: str) -> str:
    """What it prints, from the folder that has the recording and nothing of the caller's environment."""
    folder = program.parent.parent.parent
    done = subprocess.run([program, *arguments], cwd=folder, env={}, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_it_hears_the_demo(program: Path) -> None:
    assert called(program, "run", "--source", "demo.flac").split() == list(DEMO_DIGITS)


@pytest.mark.parametrize("model", sorted(path.split("/")[1] for path in sources("models/*/manifest.toml")))
def test_each_released_bundle_is_inside_and_hears_what_it_hears_in_the_tree(program: Path, model: str) -> None:
    command = ["run", "--source", "demo.flac", "--model", model, "--sink", "stdout:strings"]
    tree = [sys.executable, "-m", "digitd", *command]
    heard = subprocess.run(tree, cwd=DEMO.parent, capture_output=True, text=True, check=True).stdout
    assert heard
    assert called(program, *command) == heard


def test_it_tells_its_version_and_its_default_bundle(program: Path) -> None:
    assert called(program, "--version") == f"digitd {digitd.__version__}\n"
    (default,) = (line for line in called(program, "models").splitlines() if line.endswith("(default)"))
    assert default.split()[0] == models.DEFAULT_MODEL


def test_its_settings_file_is_one_that_it_takes(program: Path) -> None:
    settings = program.parent.parent / "share/digitd/digitd.toml"
    assert "digitd.toml" in called(program, "config", "--config", str(settings))


def test_an_unpacked_sdist_can_be_installed_as_a_service(sdist: Path, tmp_path: Path) -> None:
    folder = unpacked(sdist, tmp_path)
    (folder / ".venv").symlink_to(ROOT / ".venv")
    destination = tmp_path / "root"
    command = ["make", "-o", ".venv/installed-cpu,mic", "install", f"DESTDIR={destination}", "PREFIX=/usr"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    run: list[str | Path] = [destination / "usr/bin/digitd", "run", "--source", DEMO]
    assert subprocess.run(run, env={}, capture_output=True, text=True, check=True).stdout.split() == list(DEMO_DIGITS)
    assert (destination / "usr/lib/systemd/user/digitd.service").is_file()


def test_the_first_command_of_the_readme_works_in_an_unpacked_sdist(sdist: Path, tmp_path: Path) -> None:
    folder = unpacked(sdist, tmp_path)
    environment = {**os.environ, "PYTHON": sys.executable}
    done = subprocess.run(["make", "demo"], cwd=folder, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split()[-len(DEMO_DIGITS) :] == list(DEMO_DIGITS)
