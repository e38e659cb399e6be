"""Where bundles are found: the released ones, the user's own, the machine's."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from digitd import models


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the user's own bundles."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    folder = models.own_dir()
    folder.mkdir(parents=True)
    return folder


def test_own_bundles_are_found_beside_the_released_ones(home: Path) -> None:
    shutil.copytree(models.MODELS_DIR / "stranger", home / "stranger-mine")
    assert {"stranger", "stranger-mine"} <= set(models.names())
    assert models.locate("stranger-mine") == home / "stranger-mine"


def test_a_released_bundle_is_not_hidden_by_one_of_its_name(home: Path) -> None:
    shutil.copytree(models.MODELS_DIR / "study64", home / "stranger")
    assert models.locate("stranger") == models.MODELS_DIR / "stranger"


def test_what_is_being_written_and_what_is_none_is_not_found(home: Path) -> None:
    shutil.copytree(models.MODELS_DIR / "stranger", home / ".half")
    (home / "empty").mkdir()
    assert not {".half", "empty"} & set(models.names())
    assert models.locate("empty") is None


@pytest.mark.skipif(os.geteuid() != 0, reason="takes root, to be somebody else")
def test_a_home_of_somebody_else_hides_no_released_bundle(home: Path) -> None:
    shutil.copytree(models.MODELS_DIR / "stranger", home / "stranger-mine")
    home.parent.chmod(0o700)
    done = subprocess.run(
        [sys.executable, "-c", "import os; from digitd import models; os.setuid(65534); print(*models.names())"],
        env={**os.environ, "XDG_DATA_HOME": str(home.parents[1])}, capture_output=True, text=True,
    )  # fmt: skip
    assert "stranger" in done.stdout.split(), done.stderr
    assert "stranger-mine" not in done.stdout.split()
