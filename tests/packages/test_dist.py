"""sdist and wheel: nothing missing, nothing extra, the same bytes each time; the sdist builds the same wheel."""

import filecmp
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from tests.conftest import ROOT
from tests.packages.conftest import make, sources

PACKAGES = ("daemon", "trainer", "export", "models")
FOR_READERS = ("trainer/studies/founding/", "trainer/studies/speak-german", "trainer/networks/README.md")
"""Beside the studies' README: reports and pictures (9 MB), and what is run in a checkout."""
DATA = {
    "share/man/man1/digitd.1": "docs/man/digitd.1",
    "share/bash-completion/completions/digitd": "docs/completions/digitd",
    "share/fish/vendor_completions.d/digitd.fish": "docs/completions/digitd.fish",
    "share/zsh/site-functions/_digitd": "docs/completions/_digitd",
    "share/digitd/digitd.toml": "systemd/digitd.toml",
}
"""What the wheel puts under the environment's prefix, and whence."""
FOR_INSTALL = {"Makefile", "bootstrap", "constraints.txt", "system-packages.txt", "systemd", "docs", "tests"}
OF_PROJECT = {"README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"}
OF_BUILD = {"MANIFEST.in", "PKG-INFO", "pyproject.toml", "setup.cfg", "src"}


def packaged() -> set[str]:
    """The files of the package `digitd` as the repository has them."""
    own = {path for path in sources(*PACKAGES) if not path.startswith((*FOR_READERS, "trainer/studies/README.md"))}
    return {f"digitd/{path}" for path in own} | {
        f"digitd/{name}" for name in ("__init__.py", "__main__.py", "client.py", "py.typed")
    }


def unpacked(sdist: Path, folder: Path) -> Path:
    """The folder that an sdist unpacks to."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    return folder / sdist.name.removesuffix(".tar.gz")


def names(sdist: Path) -> set[str]:
    """The files of an sdist, below its own folder."""
    with tarfile.open(sdist) as archive:
        return {member.name.partition("/")[2] for member in archive.getmembers() if member.isfile()}


def test_the_wheel_is_the_package_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if name.startswith("digitd/")}
        others = {name.partition("/")[0].rpartition(".")[2] for name in set(archive.namelist()) - found}
    assert sorted(found ^ packaged()) == []
    assert others == {"dist-info", "data"}


def test_the_wheel_has_man_page_completions_and_settings_beside_it(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        found = {
            name.partition(".data/data/")[2]: archive.read(name).decode()
            for name in archive.namelist()
            if ".data/" in name
        }
    assert found == {name: (ROOT / source).read_text(encoding="utf-8") for name, source in DATA.items()}


def test_the_sdist_is_the_package_and_what_an_installation_needs(sdist: Path) -> None:
    found = names(sdist)
    assert {name.partition("/")[0] for name in found} == FOR_INSTALL | OF_PROJECT | OF_BUILD
    egg_info = {name for name in found if name.startswith("src/digitd.egg-info/")}
    assert {name for name in found if name.startswith("src/")} - egg_info == {f"src/{name}" for name in packaged()}
    beside = {name for name in found if name.startswith(("systemd/", "docs/", "tests/"))}
    assert beside == sources("systemd", "docs") | {"tests/data/demo.flac"}


def test_an_unpacked_sdist_builds_the_same_wheel_and_the_same_sdist(sdist: Path, wheel: Path, tmp_path: Path) -> None:
    folder = unpacked(sdist, tmp_path)
    written_s = int(folder.joinpath("PKG-INFO").stat().st_mtime)
    environment = {"PATH": "/usr/bin:/bin", "PIP_CONSTRAINT": "constraints.txt", "SOURCE_DATE_EPOCH": str(written_s)}
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", tmp_path],
        cwd=folder,
        env=environment,
        capture_output=True,
        check=True,
    )
    assert filecmp.cmp(tmp_path / wheel.name, wheel, shallow=False)
    assert names(tmp_path / sdist.name) == names(sdist)


def test_two_builds_give_the_same_bytes(dist: Path, tmp_path: Path) -> None:
    done = make("dist", tmp_path, umask=0o077, TZ="Asia/Tokyo", LC_ALL="C.UTF-8", PYTHONHASHSEED="7")
    assert done.returncode == 0, done.stdout + done.stderr
    assert filecmp.cmpfiles(dist, tmp_path, [path.name for path in dist.iterdir()], shallow=False)[1:] == ([], [])


def test_links_of_the_checkout_are_files_in_the_sdist(sdist: Path) -> None:
    with tarfile.open(sdist) as archive:
        assert all(member.isfile() or member.isdir() for member in archive.getmembers())
