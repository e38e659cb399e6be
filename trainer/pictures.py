"""The pictures of a study, each with the Markdown that shows it."""

import os
from collections import defaultdict
from pathlib import Path

from digitd.daemon.errors import ConfigError, DigitdError
from digitd.trainer import classifier, evaluation_report, plots
from digitd.trainer.classifier import Classifier
from digitd.trainer.corpora.recording import Recording
from digitd.trainer.evaluation import evaluate
from digitd.trainer.examples import Ear
from digitd.trainer.feature_cache import FeatureCache
from digitd.trainer.listening import layer_activations, listen
from digitd.trainer.run_folder import RESULT, RunFolder, make_folder, write_whole
from digitd.trainer.split import PARTS
from digitd.trainer.study import Picture

SAMPLES = 8
"""So many of each label are in a gallery, each of another speaker as far as there are so many."""


class Gallery:
    """Draws the pictures of a study into a folder: NAME.md beside its PNG and CSV files."""

    def __init__(self, folder: Path, study_folder: Path, cache: FeatureCache) -> None:
        self._folder = folder
        self._study_folder = study_folder
        self._cache = cache

    def draw(self, picture: Picture, run: RunFolder) -> str:
        """Draw one, of a finished run; the reason where that is not possible."""
        try:
            make_folder(self._folder)
            text = getattr(self, f"_{picture.kind}")(picture, run)
            write_whole(self._path(picture), lambda beside: beside.write_text(text, encoding="utf-8"))
        except DigitdError as error:
            return str(error)
        return ""

    def is_stale(self, picture: Picture, run: RunFolder) -> bool:
        """Whether the run was finished after the picture was drawn."""
        path = self._path(picture)
        return path.is_file() and path.stat().st_mtime_ns < (run.path / RESULT).stat().st_mtime_ns

    def body(self, picture: Picture) -> str:
        """The Markdown of a picture that was drawn, now or before; empty where it was not."""
        path = self._path(picture)
        return path.read_text(encoding="utf-8") if path.is_file() else ""

    def _path(self, picture: Picture) -> Path:
        return self._folder / f"{picture.name}.md"

    def _gallery(self, picture: Picture, folder: RunFolder) -> str:
        run = folder.run
        chosen = _samples([recording for part in PARTS for recording in getattr(folder.split, part)])
        ear = Ear(run.features, run.room, run.seed)
        spectrograms = {
            label: [take for recording in members for take in ear.takes(recording, 1) if take is not None]
            for label, members in chosen.items()
        }
        plots.save(plots.gallery(spectrograms, run.features), self._folder / f"{picture.name}.png")
        return f"![{picture.title}]({picture.name}.png)"

    def _evaluation(self, picture: Picture, folder: RunFolder) -> str:
        run, parts = folder.run, PARTS if picture.part == "all" else (picture.part,)
        recordings = [recording for part in parts for recording in getattr(folder.split, part)]
        ear = Ear(run.features, run.room, run.seed)
        found = evaluate(classifier.of_run(folder), recordings, ear, self._cache)
        return evaluation_report.write(found, self._folder, f"{picture.name}-")

    def _layers(self, picture: Picture, folder: RunFolder) -> str:
        return layers(classifier.of_run(folder), self._file(picture), folder, self._folder, picture.name)

    def _recording(self, picture: Picture, folder: RunFolder) -> str:
        return own_recording(classifier.of_run(folder), self._file(picture), self._folder, picture.name)

    def _file(self, picture: Picture) -> Path:
        filled = os.path.expandvars(picture.file)
        if not filled or "$" in filled:
            raise ConfigError(f"file = {picture.file!r} of {picture.name} is empty or names a variable that is not set")
        return self._study_folder / filled


def layers(network: Classifier, file: Path, run: RunFolder, out: Path, name: str) -> str:
    """Draw `out`/`name`.png: a recording's first utterance and what each layer of a run makes of it; its Markdown."""
    spectrogram = listen(network, file).spectrograms[0]
    activations = layer_activations(classifier.load_network(run.model), spectrogram)
    plots.save(plots.layers(spectrogram, activations, f"mel spectrogram of {file.name}"), out / f"{name}.png")
    return f"![{file.name} in the layers of {network.name}]({name}.png)"


def own_recording(network: Classifier, file: Path, out: Path, name: str) -> str:
    """Draw `out`/`name`.png: each utterance of a recording and its posteriors; the Markdown of that and a table."""
    heard = listen(network, file)
    plots.save(plots.heard(heard.spectrograms, heard.posteriors, network.labels), out / f"{name}.png")
    rows = []
    for start_s, end_s, row in zip(heard.starts_s, heard.ends_s, heard.posteriors, strict=True):
        second, first = row.argsort()[-2:]
        likely = [f"{network.labels[at]} {row[at]:.3f}" for at in (first, second)]
        rows.append([f"{start_s:.2f}-{end_s:.2f} s", *likely])
    table = evaluation_report.markdown_table(["when", "heard", "second"], rows)
    return f"{table}\n\n![{file.name} heard by {network.name}]({name}.png)"


def _samples(recordings: list[Recording]) -> dict[str, list[Recording]]:
    """Of each label SAMPLES recordings, by as many speakers as there are."""
    by_label: dict[str, dict[str, list[Recording]]] = defaultdict(lambda: defaultdict(list))
    for recording in sorted(recordings):
        by_label[recording.label][recording.speaker].append(recording)
    chosen = {}
    for label, by_speaker in sorted(by_label.items()):
        # one of each speaker in turn, those with most recordings first
        speakers = sorted(by_speaker.values(), key=len, reverse=True)
        turns = [members[turn] for turn in range(SAMPLES) for members in speakers if turn < len(members)]
        chosen[label] = turns[:SAMPLES]
    return chosen
