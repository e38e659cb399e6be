"""Speech that programs speak: what `voices.toml` describes, spoken into its folder when it is first read, and kept.

Where the folder holds no `voices.toml`, the packaged one, `trainer/templates/voices.toml`, says what is spoken. The
commands `espeak-ng` and `flite` are needed only while something is missing.
"""

import hashlib
import importlib.resources
import io
import logging
import os
import re
import subprocess
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np
import soundfile
import soxr
from tqdm import tqdm

from digitd.daemon.audio import Samples
from digitd.daemon.errors import CorpusError
from digitd.daemon.settings import nearest
from digitd.daemon.settings import read as read_settings
from digitd.trainer.corpora import said, string_texts
from digitd.trainer.corpora.alignment import aligned, plausible
from digitd.trainer.corpora.recording import SYNTHETIC, Kind, Recording, label_of
from digitd.trainer.corpora.voices import Description, Sentences, Voice, vocabulary

DESCRIPTION = "voices.toml"
PACKAGED = Path(str(importlib.resources.files("digitd.trainer"))) / "templates" / DESCRIPTION
RATE_HZ = 16000
SILENCE = 0.01
"""Speech whose peak is lower, of 1, is none."""
_ESPEAK_VOICE = re.compile(r"\s*\d+\s+(?P<language>\S+)\s+\S+\s+\S+\s+(?P<file>\S+(?: [^\s(]\S*)*).*")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class _Task:
    text: str
    voice: Voice
    recording: Recording


def read(folder: Path) -> list[Recording]:
    """All that the description names; what the folder lacks is spoken first, and nothing else in it is read.

    Raises:
        ConfigError: the description does not fit.
        CorpusError: a command or a voice is not installed, speaks nothing or fails, or the folder cannot be written.
    """
    path = folder / DESCRIPTION
    if not path.exists():
        logger.info("%s: is not there; %s says what is spoken", path, PACKAGED)
        path = PACKAGED
    description = read_settings(Description, path)
    tasks = list(_tasks(description, folder))
    missing = [task for task in tasks if not task.recording.path.exists()]
    if missing:
        _check_names(description, path)
        with tempfile.TemporaryDirectory(prefix="digitd-") as scratch, ProcessPoolExecutor() as pool:
            spoken = pool.map(partial(_make, scratch=Path(scratch)), missing, chunksize=20)
            for _ in tqdm(spoken, desc="speaking", total=len(missing), unit="file", disable=None):
                pass
    return [task.recording for task in tasks if task.recording.kind != "string" or _found_again(task)]


def _found_again(task: _Task) -> bool:
    return bool(said.read(task.recording.path))


def _tasks(description: Description, folder: Path) -> Iterator[_Task]:
    variants = _variants(description)
    for words in description.words:
        for text in words.texts:
            label = words.label or label_of(text)
            for voice in dict.fromkeys(_drawn(description, variants, text, words.n_voices_per_text)):
                yield _task(folder / _slug(label), text, voice, label, words.kind)
    for strings in description.strings:
        generator = np.random.default_rng([description.seed, strings.n_texts])
        for text in dict.fromkeys(islice(string_texts.texts(generator), strings.n_texts)):
            yield _task(folder / "strings", text, next(_drawn(description, variants, text, 1)), text, "string")
    for sentences in description.sentences:
        for text in _sentence_texts(description, sentences):
            yield _task(folder / "sentences", text, next(_drawn(description, variants, text, 1)), text, "speech")


def _sentence_texts(description: Description, sentences: Sentences) -> Iterator[str]:
    generator, words = np.random.default_rng([description.seed, 1]), vocabulary(description.words)
    for _ in range(sentences.n_texts):
        yield " ".join(
            generator.choice(words, generator.integers(sentences.shortest, sentences.longest, endpoint=True))
        )


def _task(folder: Path, text: str, voice: Voice, label: str, kind: Kind) -> _Task:
    name = f"{voice.engine}-{voice.name}"
    key = hashlib.sha256(repr((text, voice.engine, voice.options)).encode()).hexdigest()[:8]
    path = folder / f"{name}-{voice.manner}_{key}.flac"
    return _Task(text, voice, Recording(path, label, f"{SYNTHETIC}-{name}", f"{SYNTHETIC}-{voice.engine}", kind))


def _slug(label: str) -> str:
    return re.sub(r"\W+", "-", label.lower()).strip("-")[:40] or "text"


def _variants(description: Description) -> list[str]:
    if description.espeak_variants != ("all",) or not description.espeak_accents:
        return list(description.espeak_variants)
    return [name for name in _espeak_voices()[1] if not name.startswith("whisper")]


def _drawn(description: Description, variants: list[str], text: str, n_voices: int) -> Iterator[Voice]:
    """Voices for a text; they depend on nothing but the seed, the text and what there is to draw from."""
    generator = np.random.default_rng([description.seed, *hashlib.sha256(text.encode()).digest()])
    share = description.flite_share if description.flite_voices else 0.0
    if not (description.espeak_accents and variants):
        share = 1.0
    for _ in range(n_voices):
        if generator.random() < share:
            voice = str(generator.choice(description.flite_voices))
            stretch = round(generator.uniform(description.flite_stretches[0], description.flite_stretches[1]), 2)
            f0_hz = _whole(description.flite_f0_hz, generator)
            manner = ("--setf", f"duration_stretch={stretch}", "--setf", f"int_f0_target_mean={f0_hz}")
            yield Voice("flite", voice, f"x{stretch}-{f0_hz}hz", ("-voice", voice, *manner))
        else:
            accent, variant = generator.choice(description.espeak_accents), generator.choice(variants)
            rate_wpm, pitch = _whole(description.rates_wpm, generator), _whole(description.pitches, generator)
            options = ("-v", f"{accent}+{variant}", "-s", str(rate_wpm), "-p", str(pitch))
            name = f"{accent}-{variant}".replace(" ", "-")
            yield Voice("espeak", name, f"{rate_wpm}wpm-p{pitch}", options)


def _whole(bounds: tuple[int, ...], generator: np.random.Generator) -> int:
    return int(generator.integers(bounds[0], bounds[1], endpoint=True))


def _check_names(description: Description, path: Path) -> None:
    """The engines speak on in another voice where they do not know the one asked for."""
    known: dict[str, list[str]] = {}
    if description.espeak_accents:
        known["espeak_accents"], variants = _espeak_voices()
        known["espeak_variants"] = variants if description.espeak_variants != ("all",) else ["all"]
    if description.flite_voices:
        known["flite_voices"] = _output("flite", "-lv").partition(":")[2].split()
    for key, names in known.items():
        for name in getattr(description, key):
            if name not in names:
                raise CorpusError(f"{path}: {key}: {name!r} is not installed{nearest(name, names)}")


def _espeak_voices() -> tuple[list[str], list[str]]:
    """Accents and variants."""
    voices = _ESPEAK_VOICE.finditer(_output("espeak-ng", "--voices"))
    accents = sorted({voice["language"] for voice in voices if not voice["file"].startswith("mb/")})
    variants = _ESPEAK_VOICE.finditer(_output("espeak-ng", "--voices=variant"))
    return accents, sorted(voice["file"].removeprefix("!v/") for voice in variants)


def _output(*command: str) -> str:
    name = command[0]
    try:
        return subprocess.run(command, capture_output=True, text=True, errors="replace", check=True).stdout
    except FileNotFoundError as error:
        raise CorpusError(f"{name}: no such command, and speech is missing; install Debian's {name}") from error
    except (OSError, subprocess.CalledProcessError) as error:
        told = (getattr(error, "stderr", None) or "").strip()
        raise CorpusError(f"{' '.join(command)}: failed ({told or error}); try the command by hand") from error


def _make(task: _Task, scratch: Path) -> None:
    """One file, whole or not at all."""
    path = task.recording.path
    flac = io.BytesIO()
    samples = _spoken(task, scratch / f"{path.stem}.wav")
    soundfile.write(flac, samples, RATE_HZ, format="FLAC")
    beside = path.with_name(f".{path.stem}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if task.recording.kind == "string":  # first: where the speech is, its words are
            said.table_of(path).write_text(_aligned(samples, task.text), encoding="utf-8")
        beside.write_bytes(flac.getvalue())
        beside.replace(path)
    except OSError as error:
        with suppress(OSError):  # it may never have been there
            beside.unlink()
        raise CorpusError(
            f"{path}: speech cannot be kept ({error.strerror}); free the disk, or give a folder that may be written"
        ) from error


def _aligned(samples: Samples, text: str) -> str:
    """The table of the words; empty where they are not found again."""
    words = aligned(samples, text.replace(",", ""))
    return said.written(words) if all(map(plausible, words)) else ""


def _spoken(task: _Task, wav: Path) -> Samples:
    """float32 [n_samples] at RATE_HZ."""
    command = task.voice.command(task.text, wav)
    _output(*command)
    try:
        samples, rate_hz = soundfile.read(wav, dtype="float32")
        wav.unlink()
    except (OSError, soundfile.LibsndfileError) as error:
        raise CorpusError(f"{' '.join(command)}: wrote no speech ({error}); try the command by hand") from error
    if np.abs(samples).max(initial=0) < SILENCE:
        raise CorpusError(f"{' '.join(command)}: {task.text!r} is silence; take the text or the voice out")
    if rate_hz != RATE_HZ:
        samples = soxr.resample(samples, rate_hz, RATE_HZ)
    scaled: Samples = samples / max(1.0, np.abs(samples).max())  # resampling overshoots full scale by a little
    return scaled
