"""What all tests share: the demo, a synthetic corpus, the default bundle, and people's recordings where they are."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from digitd import models
from digitd.daemon import bundle
from digitd.daemon.audio import Samples
from digitd.daemon.recogniser import Recogniser
from digitd.daemon.spotter import Spotter

ROOT = Path(__file__).parent.parent
DEMO = ROOT / "tests/data/demo.flac"
DEMO_DIGITS = "3141592"
WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
VOICES = ("slt", "rms", "kal16", "awb")
CORPORA = Path(os.environ.get("DIGITD_CORPORA", ROOT.parent / "shared/corpora"))


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out, and count as deselected, the tests that need recordings of people where there are none."""
    if (CORPORA / "manifest.tsv").is_file():
        return
    needing = [item for item in items if item.get_closest_marker("corpora")]
    config.hook.pytest_deselected(items=needing)
    items[:] = [item for item in items if item not in needing]


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory) -> None:
    """No test reads what an earlier session has heard."""
    os.environ["DIGITD_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of people's recordings."""
    return CORPORA


@pytest.fixture(scope="session")
def recogniser() -> Recogniser:
    """The bundle that hears utterances, on the CPU."""
    return Recogniser(bundle.load("study64"), "cpu")


@pytest.fixture(scope="session", params=[models.DEFAULT_MODEL, "connected"])
def spotter(request: pytest.FixtureRequest) -> Spotter:
    """Each bundle that hears a stream, on the CPU."""
    return Spotter(bundle.load(request.param), "cpu")


@pytest.fixture(scope="session")
def demo() -> Samples:
    """float32 [n_samples] at 16 kHz: the committed recording of DEMO_DIGITS."""
    samples, rate_hz = soundfile.read(DEMO, dtype="float32")
    assert rate_hz == 16000
    return np.asarray(samples, np.float32)


@pytest.fixture(scope="session")
def spoken_digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A corpus in FSDD's layout: each digit by each of flite's VOICES, in two takes."""
    folder = tmp_path_factory.mktemp("fsdd") / "recordings"
    folder.mkdir()
    for voice in VOICES:
        for digit, word in enumerate(WORDS):
            for take, stretch in enumerate((1.0, 1.2)):
                path = folder / f"{digit}_{voice.rstrip('16')}_{take}.wav"
                options = ["-voice", voice, "--setf", f"duration_stretch={stretch}"]
                subprocess.run(["flite", *options, "-t", word, "-o", str(path)], check=True)
    return folder.parent


@pytest.fixture
def digitd() -> Callable[..., subprocess.CompletedProcess[Any]]:
    """Runs the command as a user does."""

    def run(*arguments: str | Path, **options: object) -> subprocess.CompletedProcess[Any]:
        command = [sys.executable, "-m", "digitd", *map(str, arguments)]
        given = {"capture_output": True, "text": True, "timeout": 120, **options}
        return subprocess.run(command, **given)  # type: ignore[call-overload,no-any-return]

    return run
