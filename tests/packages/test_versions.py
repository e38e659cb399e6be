"""One place tells the version: `__version__`. What cannot read it there is compared with it."""

import email
import re
import shutil
import subprocess
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

from tests.conftest import ROOT

import digitd


def test_the_command_tells_it(digitd: Callable[..., subprocess.CompletedProcess[str]]) -> None:
    assert digitd("--version").stdout == f"digitd {version()}\n"


def version() -> str:
    """`__version__`, of which no other text of the sources is a copy but debian/changelog and the man page."""
    return digitd.__version__


def test_sdist_and_wheel_tell_it(sdist: Path, wheel: Path) -> None:
    folder = f"digitd-{version()}"
    assert sdist.name == f"{folder}.tar.gz"
    with tarfile.open(sdist) as archive:
        about = archive.extractfile(f"{folder}/PKG-INFO")
        assert about is not None
        assert email.message_from_bytes(about.read())["Version"] == version()
    with zipfile.ZipFile(wheel) as wheel_archive:
        assert email.message_from_bytes(wheel_archive.read(f"{folder}.dist-info/METADATA"))["Version"] == version()


def test_the_debian_package_tells_it() -> None:
    first = (ROOT / "debian/changelog").read_text(encoding="utf-8").splitlines()[0]
    assert re.match(r"digitd \((.*)\) ", first).group(1) == version()  # type: ignore[union-attr]


def test_a_debian_package_of_another_version_is_refused(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "debian", tmp_path / "debian")
    (tmp_path / "src/digitd").mkdir(parents=True)
    (tmp_path / "src/digitd/__init__.py").write_text('"""."""\n\n__version__ = "9.8.7"\n')
    done = subprocess.run(
        ["debian/rules", "override_dh_auto_configure"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2
    assert f"debian/changelog says {version()}, src/digitd/__init__.py 9.8.7: dch -v 9.8.7" in done.stderr
