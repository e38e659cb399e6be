"""A released bundle: the network, what it hears, and the proof that it still answers as it did when it was released."""

import hashlib
import lzma
import struct
import tokenize
import zlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal
from zipfile import BadZipFile

import numpy as np

from digitd.daemon.audio import Samples
from digitd.daemon.confidence import Calibration
from digitd.daemon.errors import BundleError, ConfigError
from digitd.daemon.features import MelSpec, MelSpectrogram
from digitd.daemon.mode import Mode
from digitd.daemon.settings import read, setting
from digitd.daemon.stream_decoder import Decoding, Kind
from digitd.daemon.stream_features import StreamSpec
from digitd.models import locate, names

MANIFEST = "manifest.toml"
GOLDEN = "golden.npz"


@dataclass(frozen=True)
class Graph:
    """The ONNX file and the names in it."""

    file: str
    """Its name; it lies beside the manifest."""
    sha256: str
    input: str
    """float32 [batch, n_mels, n_frames, 1]; of a network that hears a stream [batch, n_frames, n_mels]."""
    output: str
    """float32 [batch, n_labels], posteriors; of a network that hears a stream [batch, n_outputs, n_labels + 1]."""

    def __post_init__(self) -> None:
        if Path(self.file).name != self.file or not self.file.isprintable():
            raise ValueError(f"file = {self.file!r} must be the name of a file beside the manifest")


@dataclass(frozen=True)
class Thresholds:
    """The least confidence of a digit, per mode, and where the numbers come from."""

    always: float = setting(at_least=0, at_most=1)
    entry: float = setting(at_least=0, at_most=1)
    calibration: str = ""
    sure: float = setting(0.0, at_least=0, at_most=1)
    """From here on a digit counts whatever follows it, in mode always too: see `embedding`."""

    def of(self, mode: Mode) -> float:
        """The threshold of a mode."""
        return self.always if mode == "always" else self.entry


@dataclass(frozen=True)
class Origin:
    """How the bundle came to be."""

    created: str
    parameters: int
    weights: str
    """How the weights are stored: float32, float16 or int8."""
    corpora: tuple[str, ...]
    digitd: str
    keras: str
    tensorflow: str
    tf2onnx: str
    onnx: str
    onnxruntime: str
    derived_from: str = ""
    """The bundle that this one was adapted from, for one person and microphone."""


@dataclass(frozen=True)
class Manifest:
    """manifest.toml."""

    schema: Literal[1]
    name: str
    kind: Kind
    labels: tuple[str, ...]
    graph: Graph
    thresholds: Thresholds
    origin: Origin
    features: MelSpec | None = None
    """What a network hears that is shown whole utterances."""
    stream: StreamSpec | None = None
    """What a network hears that listens all the time."""
    decoding: Decoding = field(default_factory=Decoding)
    """Of a network that listens all the time."""
    calibration: Calibration = field(default_factory=Calibration)
    """Likewise."""

    def __post_init__(self) -> None:
        each_once = len(set(self.labels)) == len(self.labels) > 0
        if not each_once or not all(label.isprintable() and label for label in self.labels):
            raise ValueError(f"labels = {list(self.labels)} must be printable, each once, and at least one")
        if (self.features is None) == (self.stream is None):
            raise ValueError("a bundle has either a table `features` (it hears utterances) or `stream`")
        if self.kind == "connected" and self.stream is None:
            raise ValueError("kind = 'connected' needs a table `stream`: utterances are isolated")

    @property
    def sample_rate_hz(self) -> int:
        """The rate that the network hears at."""
        spec = self.features or self.stream
        assert spec is not None  # noqa: S101 - __post_init__ saw to it
        return spec.sample_rate_hz


@dataclass(frozen=True)
class Golden:
    """A synthetic signal and the bundle's answers to it at its release."""

    samples: Samples
    """float32 [n_samples]."""
    features: MelSpectrogram
    """float32 [n_mels, n_frames]; of a stream [n_frames, n_mels]."""
    posteriors: MelSpectrogram
    """float32 [n_labels]; of a stream [n_outputs, n_labels + 1]."""


@dataclass(frozen=True)
class Bundle:
    """A bundle whose files are whole; `Recogniser` proves that they answer right."""

    folder: Path
    manifest: Manifest
    golden: Golden

    @property
    def graph_path(self) -> Path:
        """The ONNX file."""
        return self.folder / self.manifest.graph.file


def load(name_or_dir: str) -> Bundle:
    """Read a bundle by its name or from its folder.

    Raises:
        BundleError: there is none, its manifest does not fit, or its network is not the one that was released.
    """
    try:
        folder = locate(name_or_dir)
        found = folder is not None and (folder / MANIFEST).is_file()
    except OSError as error:
        raise BundleError(f"{name_or_dir}: cannot be looked at ({error.strerror}); name a readable bundle") from error
    if folder is None or not found:
        raise BundleError(
            f"no bundle {name_or_dir!r}; released are {', '.join(names()) or 'none'}, or name a bundle's folder"
        )
    try:
        manifest = read(Manifest, folder / MANIFEST)
    except ConfigError as error:
        raise BundleError(f"{error}; release the bundle again with `digitd export`") from error
    bundle = Bundle(folder, manifest, _golden(folder, 1 if manifest.stream is None else 2))
    _check_graph(bundle.graph_path, manifest.graph.sha256)
    return bundle


def sha256_of(path: Path) -> str:
    """Hexadecimal digest of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _check_graph(path: Path, sha256: str) -> None:
    try:
        found = sha256_of(path)
    except OSError as error:
        raise BundleError(f"{path}: cannot be read ({error.strerror}); restore the released file") from error
    if found != sha256:
        raise BundleError(
            f"{path}: its sha256 {found[:12]}... is not the manifest's {sha256[:12]}...; restore the released file"
        )


def _floats(array: Any, n_dimensions: int) -> Samples:
    if not isinstance(array, np.ndarray):  # what has not the form of an array, numpy hands out as it is
        raise ValueError("no array")
    if array.dtype != np.float32 or array.ndim != n_dimensions or not array.size:
        raise ValueError(f"an array {array.shape} of {array.dtype} in place of {n_dimensions} dimensions of float32")
    return array


_NPZ_ERRORS = (
    OSError,
    ValueError,
    KeyError,
    EOFError,
    TypeError,
    MemoryError,  # a shape that no memory holds
    OverflowError,  # ... and that no number counts
    RuntimeError,  # encrypted; NotImplementedError, which is one: a compression or version that is not known
    BadZipFile,
    zlib.error,
    lzma.LZMAError,
    struct.error,
    tokenize.TokenError,  # numpy reads the head of an array as Python
    SyntaxError,
)
"""What numpy and zipfile raise of a file that is damaged."""


def _golden(folder: Path, n_posterior_dimensions: int) -> Golden:
    shapes = {"samples": 1, "features": 2, "posteriors": n_posterior_dimensions}
    path = folder / GOLDEN
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            return Golden(*(_floats(arrays[name], n_dimensions) for name, n_dimensions in shapes.items()))
    except _NPZ_ERRORS as error:
        raise BundleError(f"{path}: no golden vector ({error!r:.200}); restore the released file") from error
