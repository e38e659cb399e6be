"""`digitd calibrate --from FOLDER`: what is told, what is made, and its way back."""

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import soxr
from scipy.stats import binomtest
from tests.conftest import WORDS

from digitd import models
from digitd.daemon import bundle
from digitd.daemon.audio import Samples
from digitd.daemon.errors import ConfigError, CorpusError
from digitd.daemon.pipeline import PipelineConfig
from digitd.daemon.spotter import Spotter
from digitd.export.calibration import level, model_setting, operating_point, take
from digitd.export.calibration.hearing import MODES, hear, share
from digitd.export.calibration.share import Share, by_chance
from digitd.export.calibration.take import Take
from digitd.trainer import corpora

Digitd = Callable[..., subprocess.CompletedProcess[Any]]

AS_A_GERMAN_SAYS_THEM = ("siero", "wann", "tuh", "srie", "for", "feif", "six", "sewen", "eit", "nein")
RATE_HZ = 16000


def speak(folder: Path, voice: str, words: tuple[str, ...], n_takes: int, first: int = 0) -> Path:
    """LABEL/anna_TAKE.wav, each take at its own rate and pitch."""
    for label, word in enumerate(words):
        (folder / str(label)).mkdir(parents=True, exist_ok=True)
        for number in range(first, first + n_takes):
            path = folder / str(label) / f"anna_{number}.wav"
            varied = ["-s", str(125 + 23 * number % 60), "-p", str(40 + 9 * number % 25)]
            subprocess.run(["espeak-ng", "-v", voice, *varied, "-w", str(path), word], check=True)
    return folder


@pytest.fixture(scope="module")
def accented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two takes of each digit by a voice that the bundle does not know."""
    return speak(tmp_path_factory.mktemp("accented"), "de", AS_A_GERMAN_SAYS_THEM, n_takes=2)


@pytest.fixture(scope="module")
def known(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two takes of each digit by a voice that it hears well."""
    return speak(tmp_path_factory.mktemp("known"), "en-us", WORDS, n_takes=2)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the user's bundles and settings are: neither is anything of the machine's."""
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "data"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    return tmp_path


def test_a_voice_that_is_heard_poorly_is_enrolled_and_the_way_back_leaves_nothing(
    digitd: Digitd, accented: Path, home: Path, tmp_path: Path
) -> None:
    settings = home / "config/digitd/digitd.toml"
    settings.parent.mkdir(parents=True)
    before = '# mine\n[model]  # which\nname = "stranger" # the default\nmode = "entry"\n'
    settings.write_text(before)
    done = digitd("calibrate", "--from", accented, "--name", "anna", "--yes")
    assert done.returncode == 0, done.stderr
    assert "kept: it is measurably better" in done.stdout
    folder = home / "data/digitd/models/stranger-anna"
    manifest = bundle.load("stranger-anna").manifest
    assert (manifest.name, manifest.origin.derived_from) == ("stranger-anna", "stranger")
    assert manifest.graph.sha256 != bundle.load("stranger").manifest.graph.sha256
    assert "Derived from **stranger**" in (folder / "card.md").read_text()
    assert settings.read_text() == before.replace('"stranger"', '"stranger-anna"')
    assert not list(folder.parent.glob(".calibrate-*"))

    others = speak(tmp_path / "others", "de", AS_A_GERMAN_SAYS_THEM, n_takes=2, first=2)
    takes = take.read(others, manifest.labels)
    right = {
        name: [share(hear(Spotter(bundle.load(name), "cpu"), takes, mode, PipelineConfig())).right for mode in MODES]
        for name in ("stranger", "stranger-anna")
    }
    assert sum(right["stranger-anna"]) >= sum(right["stranger"]) + 4, right

    ran = digitd("run", "--model", "stranger-anna", "--source", accented / "9/anna_0.wav", "--mode", "entry")
    assert (ran.returncode, ran.stdout) == (0, "9\n")
    undone = digitd("calibrate", "--undo", "--name", "anna")
    assert undone.returncode == 0, undone.stderr
    assert settings.read_text() == before
    assert not folder.exists()
    again = digitd("calibrate", "--undo", "--name", "anna")
    assert again.returncode == 2
    assert "there is no bundle 'stranger-anna'" in again.stderr


def test_a_voice_that_is_heard_well_is_left_alone(digitd: Digitd, known: Path, home: Path) -> None:
    done = digitd("calibrate", "--from", known, "--name", "anna", "--yes")
    assert done.returncode == 0, done.stderr
    assert "not kept: no more of the held-back prompts come right" in done.stdout
    assert re.search(r"entry .* (19|20) of 20: (95|100)% \(\d\d-\d+%\)", done.stdout)
    assert "stranger fits this voice as it is: nothing is changed" in done.stdout
    assert not (home / "data/digitd/models/stranger-anna").exists()
    assert not (home / "config").exists()


def test_nothing_is_changed_that_was_not_agreed_to(digitd: Digitd, accented: Path, home: Path) -> None:
    done = digitd("calibrate", "--from", accented, "--no-enrol", "--no-install", stdin=subprocess.DEVNULL)
    assert done.returncode == 0, done.stderr
    assert not [path for path in home.rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--from", "/nonexistent"], "/nonexistent: no such folder"),
        (["--name", "../x", "--yes"], "--name '../x' must be letters"),
        (["--takes", "0", "--yes"], "--takes 0 must be 1 or more"),
        (["--model", "nobody", "--yes"], "no bundle 'nobody'"),
        ([], "no terminal to ask in"),
    ],
)
@pytest.mark.usefixtures("home")
def test_what_cannot_be_is_one_line_and_status_2(digitd: Digitd, flags: list[str], message: str) -> None:
    done = digitd("calibrate", *flags, stdin=subprocess.DEVNULL)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.usefixtures("home")
def test_it_needs_neither_tensorflow_nor_scipy(known: Path) -> None:
    program = (
        "import sys\n"
        "for name in ('tensorflow', 'keras', 'scipy', 'sklearn', 'matplotlib', 'audiomentations', 'tf2onnx'):\n"
        "    sys.modules[name] = None\n"
        "from digitd.__main__ import main\n"
        f"sys.exit(main(['calibrate', '--from', {str(known)!r}, '--name', 'x', '--no-enrol', '--no-install']))\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_kept_recordings_are_a_corpus_that_is_read_again(demo: Samples, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    takes = [Take("3", demo[:RATE_HZ], RATE_HZ), Take("3", demo[:RATE_HZ], RATE_HZ), Take("7", demo[:RATE_HZ], RATE_HZ)]
    take.write(folder, "anna", takes[:2], demo[: RATE_HZ // 2], RATE_HZ)
    take.write(folder, "anna", takes[2:], None, RATE_HZ)
    found = corpora.read("folders", folder)
    assert [(each.label, each.speaker) for each in found] == [("3", "anna"), ("3", "anna"), ("7", "anna")]
    assert folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o077 for path in folder.rglob("*.wav")} == {0}
    room = take.read_room(folder, 8000)
    assert room is not None
    assert len(room) == 4000
    assert len(take.read(folder, ("3",))) == 2
    with pytest.raises(CorpusError, match="holds no recording of 5"):
        take.read(folder, ("5",))


def test_a_trimmed_word_is_given_room(demo: Samples) -> None:
    word = demo[round(0.5 * RATE_HZ) : round(0.9 * RATE_HZ)]
    with_room = take.with_room(word, RATE_HZ)
    assert len(with_room) >= len(word) + 0.9 * RATE_HZ
    assert take.with_room(with_room, RATE_HZ) is with_room


@pytest.mark.parametrize(("right", "total"), [(0, 20), (18, 20), (20, 20), (7, 9)])
def test_the_interval_is_wilsons(right: int, total: int) -> None:
    wanted = binomtest(right, total).proportion_ci(method="wilson")
    assert Share(right, total).interval == pytest.approx((wanted.low, wanted.high), abs=1e-6)


def test_chance_is_told_from_gain() -> None:
    assert by_chance([0.4, 0.5, 0.1, 0.2, 0.6, 0.3]) == pytest.approx(1 / 64, abs=0.005)
    assert by_chance([0.1, -0.1, 0.2, -0.2]) > 0.3
    assert by_chance([0.0] * 20) == 1.0


def test_the_level_of_a_voice_has_a_name_and_a_remedy_in_decibels(demo: Samples) -> None:
    def verdict(gain_db: float, noise_dbfs: float = -75.0) -> level.Voice:
        peak = demo / np.abs(demo).max() * 10 ** (gain_db / 20)
        noise = 10 ** (noise_dbfs / 20) * np.random.default_rng(0).standard_normal(len(demo))
        return level.voice([np.clip(peak + noise, -1, 1).astype(np.float32)], RATE_HZ, noise_dbfs)

    assert verdict(-12).verdict == "good"
    assert abs(verdict(-12).gain_db) < 1
    assert verdict(-40).verdict == "too quiet"
    assert verdict(-40).gain_db == pytest.approx(28, abs=1)
    assert verdict(-1).verdict == "too loud"
    assert verdict(12).verdict == "clipping"
    assert verdict(12).gain_db < -12
    assert verdict(-12, noise_dbfs=-30).verdict == "noisy"
    assert verdict(-60, noise_dbfs=-50).verdict == "unheard"
    assert level.room(np.zeros(RATE_HZ, np.float32), RATE_HZ).silent


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("", '[model]\nname = "x"\n'),
        ("secret = true # why\n", 'secret = true # why\n\n[model]\nname = "x"\n'),
        ('[model]\nmode = "entry"\n', '[model]\nname = "x"\nmode = "entry"\n'),
        ("[model]\nname='a' # b\n[source]\n", '[model]\nname="x" # b\n[source]\n'),
        ('model = { name = "a", mode = "entry" }\n', 'model = { name = "x", mode = "entry" }\n'),
        ('model.name = "a"\n', 'model.name = "x"\n'),
        ('[source]\nspec = "mic"', '[source]\nspec = "mic"\n\n[model]\nname = "x"\n'),
    ],
)
def test_a_name_is_written_and_nothing_else(text: str, wanted: str) -> None:
    assert model_setting.changed(text, "x") == wanted


def test_what_cannot_be_changed_by_program_is_told() -> None:
    with pytest.raises(ConfigError, match="changed by program"):
        model_setting.changed('model = { mode = "entry" }\n', "x")


def test_a_threshold_is_lowered_only_for_a_gain_within_its_price() -> None:
    spotter = Spotter(bundle.load(models.DEFAULT_MODEL), "cpu")
    curve = operating_point.costs(spotter.bundle)
    shipped = operating_point.cost_at(curve, spotter.bundle.manifest.thresholds.always)
    dear = [cost for cost in curve if not cost.within(shipped)]
    assert shipped.within(shipped)
    assert dear
    assert max(cost.threshold for cost in dear) < shipped.threshold
    nothing = [Take("5", np.zeros(RATE_HZ, np.float32), RATE_HZ) for _ in range(10)]
    assert operating_point.chosen(spotter, nothing, PipelineConfig()) == spotter.bundle.manifest.thresholds


def test_a_recording_at_another_rate_is_heard(known: Path, tmp_path: Path) -> None:
    samples, rate_hz = soundfile.read(known / "4/anna_0.wav", dtype="float32")
    (tmp_path / "4").mkdir()
    soundfile.write(tmp_path / "4/anna_0.wav", soxr.resample(samples, rate_hz, 8000), 8000)
    spotter = Spotter(bundle.load(models.DEFAULT_MODEL), "cpu")
    assert [each.right for each in hear(spotter, take.read(tmp_path, ("4",)), "entry", PipelineConfig())] == [True]
