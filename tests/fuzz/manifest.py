"""The text of a bundle's manifest.toml."""

import re
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import tomli_w
from tests.fuzz import hostile_toml
from tests.fuzz.target import Target

from digitd.daemon.bundle import Manifest
from digitd.daemon.errors import ConfigError
from digitd.daemon.features import LogMel, MelSpec
from digitd.daemon.settings import as_table, parse, read
from digitd.daemon.stream_decoder import StreamDecoder
from digitd.daemon.stream_features import MelStream, StreamSpec
from digitd.models import MODELS_DIR, names

ORIGIN = "manifest.toml"
LARGEST_STATE = 2**24


def run(data: bytes) -> None:
    """It is refused, or all that is made of a manifest can be made of it."""
    text = data.decode(errors="replace")
    try:
        manifest = parse(Manifest, text, ORIGIN)
    except ConfigError as error:
        hostile_toml.refused(error, ORIGIN)
        return
    assert Path(manifest.graph.file).name == manifest.graph.file
    assert manifest.graph.file.isprintable()
    if manifest.stream:
        assert hears_stream(manifest.stream)
    if manifest.features:
        assert hears_utterance(manifest.features)
    decides(manifest)


@lru_cache(1000)
def hears_stream(spec: StreamSpec) -> bool:
    """Whether a second of silence becomes as many frames as it has hops, and the state fits the memory."""
    frames = MelStream(spec).push(np.zeros(spec.sample_rate_hz, np.float32))
    return len(frames) == spec.sample_rate_hz // spec.hop_samples and 0 <= spec.state_size <= LARGEST_STATE


@lru_cache(1000)
def hears_utterance(spec: MelSpec) -> bool:
    """Whether a second of silence becomes a spectrogram; its shape is for the golden vector to prove."""
    return len(LogMel(spec).spectrogram(np.zeros(spec.sample_rate_hz, np.float32))) == spec.n_mels


def decides(manifest: Manifest) -> None:
    """Every answer of the network is a candidate with a confidence."""
    decoder = StreamDecoder(manifest.labels, manifest.thresholds.entry, manifest.decoding, manifest.kind)
    for n, posterior in enumerate((0.0, 1.0, 0.5)):
        guess, _ = decoder.push(np.full(len(manifest.labels) + 1, posterior, np.float32), 0.04 * n)
        assert guess.label in manifest.labels
        assert 0 <= manifest.calibration.confidence(guess.confidence) <= 1


def seeds() -> Iterator[bytes]:
    """The released ones, and with each value in turn replaced by one that nobody means."""
    for name in names():
        path = MODELS_DIR / name / ORIGIN
        yield path.read_bytes()
        manifest = read(Manifest, path)
        short = replace(manifest, labels=("0", "1"), origin=replace(manifest.origin, corpora=("fsdd",)))
        yield from hostile_toml.variants(tomli_w.dumps(as_table(short)))


def changed(key: str, value: str) -> bytes:
    """The default bundle's manifest with another value of a key."""
    text = (MODELS_DIR / "connected" / ORIGIN).read_text()
    return re.sub(rf"^{key} = .*$", f"{key} = {value}", text, flags=re.MULTILINE).encode()


FOUND = {
    "hop_samples": "4096",  # ValueError: negative dimensions, a hop being longer than what is transformed
    "state_size": "100000000000000",  # MemoryError
    "slope": "100",  # OverflowError in the first confidence
    "file": '"/dev/zero"',  # read for ever
}

TARGET = Target(
    run=run,
    seeds=seeds,
    found=tuple(changed(key, value) for key, value in FOUND.items()),
    words=hostile_toml.words(Manifest),
    longest_bytes=8192,
    timeout_s=5,
)
