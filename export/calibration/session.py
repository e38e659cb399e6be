"""One calibration from the first question to the bundle, and its way back."""

import random
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from digitd.daemon.audio import Samples
from digitd.daemon.bundle import Thresholds
from digitd.daemon.config import DaemonConfig, compose
from digitd.daemon.errors import ConfigError, ExportError
from digitd.daemon.listener import Network, open_network
from digitd.daemon.mode import Mode
from digitd.daemon.spotter import Spotter
from digitd.export.calibration import gain, level, model_setting, operating_point, report, take
from digitd.export.calibration import personal_bundle as personal
from digitd.export.calibration.console import Console
from digitd.export.calibration.hearing import MODES, Heard, at, hear, share
from digitd.export.calibration.interview import Interview
from digitd.export.calibration.microphone import Microphone
from digitd.export.calibration.take import Take
from digitd.models import own_dir
from digitd.trainer.runfile import NAME

if TYPE_CHECKING:
    from digitd.export.calibration.adaptation import Comparison


@dataclass(frozen=True)
class Request:
    """What the command line asks for."""

    name: str
    """Of the person."""
    config_file: Path
    config_named: bool
    """Whether it was asked for, and so must be there."""
    source: str | None
    model: str | None
    folder: Path | None
    """Of recordings, in place of the microphone."""
    takes: int
    """Of each digit."""
    seed: int
    answers: Mapping[str, bool | None]
    """By flag; None where it is to be asked."""
    agreed: bool | None
    """The answer to all that is to be asked."""


class Session:
    """Measures, asks, and makes what was agreed to.

    Raises:
        ConfigError: a flag or digitd.toml is wrong.
        BundleError: the bundle is not there or damaged.
    """

    def __init__(self, request: Request) -> None:
        if not NAME.fullmatch(request.name):
            raise ConfigError(f"--name {request.name!r} must be letters, digits, '.', '_' and '-'")
        if request.takes < 1:
            raise ConfigError(f"--takes {request.takes} must be 1 or more")
        self._request, self._console = request, Console(request.agreed)
        self._config = _config(request)
        self._base = personal.base_of(self._config.model.name)
        self._target = f"{self._base.manifest.name}-{request.name}"
        self._lines: list[str] = []
        self._room: Samples | None = None

    def run(self) -> int:
        """The exit status."""
        self._network = open_network(self._base, "cpu")
        if self._request.folder is None:
            self._takes, self._room = self._interviewed()
        else:
            self._takes = take.read(self._request.folder, self._base.manifest.labels)
            self._room = take.read_room(self._request.folder, self._rate_hz)
        self._keep()
        self._tell_levels()
        heard = {mode: hear(self._network, self._takes, mode, self._config.pipeline) for mode in MODES}
        self._tell(
            f"\nExpected, with {self._base.manifest.name} as it is (95 % interval of {len(self._takes)} prompts):"
        )
        self._tell(report.accuracy(heard))
        thresholds = self._thresholds()
        self._make(heard, thresholds)
        return 0

    @property
    def _rate_hz(self) -> int:
        return self._base.manifest.sample_rate_hz

    def _interviewed(self) -> tuple[list[Take], Samples]:
        spec = self._config.source.spec
        if not self._console.interactive and self._request.agreed is None:
            raise ConfigError("there is no terminal to ask in; name recordings by --from FOLDER, or agree by --yes")
        prompts = list(self._base.manifest.labels) * self._request.takes
        random.Random(self._request.seed).shuffle(prompts)  # noqa: S311 - an order, no secret
        microphone = Microphone(self._config.source, self._rate_hz, self._config.segmenter)
        try:
            interview = Interview(microphone, self._console, gain.found(spec), may_turn=self._request.answers["gain"])
            found = interview.hold(prompts)
        finally:
            microphone.close()
        return list(found.takes), found.room

    def _keep(self) -> None:
        """Where they were recorded just now and the person agrees."""
        if self._request.folder is not None:
            return
        folder = recordings_dir(self._request.name)
        question = f"\nKeep the recordings, readable by you alone, in {folder}?"
        if self._console.agrees(question, self._request.answers["keep"], default=False):
            take.write(folder, self._request.name, self._takes, self._room, self._rate_hz)
            self._console.say(
                f"  kept in {folder}; to train on, or `digitd calibrate --from` it; delete: rm -r {folder}"
            )

    def _tell_levels(self) -> None:
        room = None if self._room is None else level.room(self._room, self._rate_hz)
        self._levels: dict[str, Any] = {}
        if room is not None:
            self._tell(f"\nRoom: {room}")
            self._levels["room_dbfs"] = round(room.median_dbfs, 1)
        voice = level.voice(
            [each.samples for each in self._takes], self._takes[0].rate_hz, None if room is None else room.median_dbfs
        )
        self._levels |= {"peak_dbfs": round(voice.peak_dbfs, 1), "snr_db": round(voice.snr_db, 1)}
        self._tell(f"Voice: {voice}")

    def _thresholds(self) -> Thresholds:
        config = self._config.pipeline
        found = operating_point.chosen(self._network, self._takes, config)
        before, after = (
            {mode: share(hear(network, self._takes, mode, config)) for mode in MODES}
            for network in (self._network, at(self._network, found))
        )
        self._tell("\nThresholds:")
        self._tell(report.thresholds(self._base, found, before, after))
        return found

    def _make(self, heard: dict[Mode, list[Heard]], thresholds: Thresholds) -> None:
        """The bundle, where there is anything to put into it and the person wants it."""
        with personal.workshop() as workshop:
            network = at(self._network, thresholds)
            comparison, enrolled = self._enrolment(network, workshop)
            if enrolled is None and thresholds == self._base.manifest.thresholds:
                self._console.say(f"\n{self._base.manifest.name} fits this voice as it is: nothing is changed.")
                return
            question = f"\nMake the bundle {self._target!r} of this, in {own_dir()}?"
            if not self._console.agrees(question, self._request.answers["install"], default=True):
                return
            staged = workshop / "bundle"
            staged.mkdir()
            personal.stage(staged, network.bundle, self._target, thresholds, enrolled)
            metrics = report.metrics(heard, comparison, self._levels)
            card = report.card(self._target, self._base.manifest.name, self._lines)
            personal.install(staged, self._target, self._base, metrics, card)
        self._console.say(f"  made: digitd run --model {self._target}")
        self._console.say(
            f"  back: digitd calibrate --undo --name {self._request.name} --model {self._base.manifest.name}"
        )
        self._write()

    def _enrolment(self, network: Network, workshop: Path) -> tuple["Comparison | None", personal.Enrolled | None]:
        """(comparison, what to put in) where the person wants it; the second only where it is measurably better."""
        if not isinstance(network, Spotter):
            return None, None
        question = "\nTry to adapt the network to this voice? It is kept only if it is measurably better"
        if not self._console.agrees(question, self._request.answers["enrol"], default=True):
            return None, None
        try:
            from digitd.export.calibration.adaptation import Adaptation
        except ModuleNotFoundError as error:
            raise ExportError(f"enrolment needs {error.name}: pip install 'digitd[enrol]', or --no-enrol") from error
        self._console.say("  teaching; each prompt is then heard by a network that was not taught it ...")
        adaptation = Adaptation(network, self._takes, self._config.pipeline, workshop)
        comparison = adaptation.compare()
        self._tell("\nEnrolment, on held-back prompts:")
        self._tell(report.comparison(comparison))
        if comparison.objections:
            self._tell(f"  not kept: {'; '.join(comparison.objections)}")
            return comparison, None
        self._tell("  kept: it is measurably better, and other words give no more digits")
        return comparison, adaptation.enrolled

    def _write(self) -> None:
        path = self._request.config_file
        question = f"Write it into {path}, so that `digitd run --config {path}` takes it?"
        if self._console.agrees(question, self._request.answers["write"], default=False):
            model_setting.write(path, self._target)
            self._console.say(f'  written: [model] name = "{self._target}"')

    def _tell(self, text: str) -> None:
        """Say it, and remember it for the card."""
        self._console.say(text)
        self._lines += text.strip("\n").split("\n")


def recordings_dir(name: str) -> Path:
    """Where a person's recordings are kept."""
    return own_dir().parent / "recordings" / name


def undo(request: Request) -> int:
    """Take the personal bundle away and set digitd.toml back to what it was derived from.

    Raises:
        ConfigError: there is nothing to undo.
    """
    console = Console(request.agreed)
    base = personal.base_of(_config(request).model.name).manifest.name
    target = f"{base}-{request.name}"
    written = model_setting.model_name(request.config_file) == target
    if written:
        model_setting.write(request.config_file, base)
        console.say(f'{request.config_file}: [model] name = "{base}" again')
    removed = personal.remove(target)
    if removed:
        console.say(f"{own_dir() / target}: removed; `digitd run` with {base} hears as before")
    if not removed and not written:
        raise ConfigError(f"there is no bundle {target!r} in {own_dir()}; name another --name, or --model")
    if recordings_dir(request.name).is_dir():
        folder = recordings_dir(request.name)
        console.say(f"{folder}: the recordings are still there; delete: rm -r {folder}")
    return 0


def _config(request: Request) -> DaemonConfig:
    flags: dict[str, Any] = {}
    if request.source is not None:
        flags["source"] = {"spec": request.source}
    if request.model is not None:
        flags["model"] = {"name": request.model}
    file = request.config_file if request.config_named or request.config_file.is_file() else None
    return compose(file, flags)
