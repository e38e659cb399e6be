"""A bundle for one person and microphone, derived from a released one, and gone again when it is not wanted."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import tomli_w

import digitd
from digitd.daemon import bundle
from digitd.daemon.bundle import Bundle, Graph, Thresholds
from digitd.daemon.errors import BundleError
from digitd.daemon.listener import Network, open_network
from digitd.daemon.session import open_session
from digitd.daemon.settings import as_table
from digitd.daemon.spotter import NEXT_STATE, STATE
from digitd.models import locate, own_dir

if TYPE_CHECKING:
    from digitd.export.last_layer import LastLayer, Weights

METRICS, CARD = "metrics.json", "card.md"


@dataclass(frozen=True)
class Enrolled:
    """Other weights of the last layer."""

    layer: "LastLayer"
    weights: "Weights"


def stage(folder: Path, base: Bundle, name: str, thresholds: Thresholds, enrolled: Enrolled | None = None) -> Network:
    """Fill `folder` with all that the daemon needs of a bundle derived from `base`, and open it, proofs included."""
    manifest = base.manifest
    graph = folder / manifest.graph.file
    if enrolled is None:
        shutil.copyfile(base.graph_path, graph)
        shutil.copyfile(base.folder / bundle.GOLDEN, folder / bundle.GOLDEN)
        weights = manifest.origin.weights
    else:
        enrolled.layer.replaced(graph, enrolled.weights)
        golden = base.golden
        answers = _answers(graph, manifest.graph, base)
        np.savez(folder / bundle.GOLDEN, samples=golden.samples, features=golden.features, posteriors=answers)
        weights = f"{manifest.origin.weights}, the last layer float32"
    derived = replace(
        manifest,
        name=name,
        graph=replace(manifest.graph, sha256=bundle.sha256_of(graph)),
        thresholds=thresholds,
        origin=replace(
            manifest.origin,
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            digitd=digitd.__version__,
            weights=weights,
            derived_from=manifest.name,
        ),
    )
    (folder / bundle.MANIFEST).write_text(tomli_w.dumps(as_table(derived)), encoding="utf-8")
    return open_network(bundle.load(str(folder)), "cpu")


def _answers(path: Path, graph: Graph, base: Bundle) -> Any:
    """float32 [n_outputs, n_labels + 1] of the golden features."""
    spec = base.manifest.stream
    assert spec is not None  # noqa: S101 - only networks that hear a stream are enrolled into
    feeds = {graph.input: base.golden.features[np.newaxis], STATE: np.zeros((1, spec.state_size), np.float32)}
    return open_session(path, "cpu").run([graph.output, NEXT_STATE], feeds)[0][0]


@contextmanager
def workshop() -> Iterator[Path]:
    """A folder beside the user's bundles that goes again, whatever happens.

    Raises:
        BundleError: there can be none.
    """
    try:
        own_dir().mkdir(parents=True, exist_ok=True)
        folder = tempfile.TemporaryDirectory(dir=own_dir(), prefix=".calibrate-")
    except OSError as error:
        raise BundleError(f"{own_dir()}: cannot be written ({error.strerror}); set XDG_DATA_HOME elsewhere") from error
    with folder as name:
        yield Path(name)


def install(staged: Path, name: str, base: Bundle, metrics: dict[str, Any], card: str) -> Path:
    """Put a staged bundle in the user's folder, in the place of one of its name, and tell where.

    Raises:
        BundleError: it cannot be put there.
    """
    target, replaced = own_dir() / name, staged.with_name("replaced")
    try:
        known = (
            json.loads((base.folder / METRICS).read_text(encoding="utf-8")) if (base.folder / METRICS).is_file() else {}
        )
        (staged / METRICS).write_text(json.dumps(known | {"calibration": metrics}, indent=2) + "\n", encoding="utf-8")
        (staged / CARD).write_text(card, encoding="utf-8")
        if target.exists():
            target.rename(replaced)
        try:
            staged.rename(target)
        except OSError:
            if replaced.exists():
                replaced.rename(target)
            raise
    except OSError as error:
        raise BundleError(f"{target}: cannot be put there ({error.strerror}); free some space") from error
    return target


def remove(name: str) -> bool:
    """Take a bundle out of the user's folder; whether there was one."""
    folder = own_dir() / name
    if not (folder / bundle.MANIFEST).is_file():
        return False
    try:
        shutil.rmtree(folder)
    except OSError as error:
        raise BundleError(f"{folder}: cannot be removed ({error.strerror})") from error
    return True


def base_of(name_or_dir: str) -> Bundle:
    """The bundle of that name, or the one that it was derived from: a calibration is never made from another.

    Raises:
        BundleError: there is none.
    """
    found = bundle.load(name_or_dir)
    origin = found.manifest.origin.derived_from
    if not origin:
        return found
    if locate(origin) is None:
        raise BundleError(
            f"{name_or_dir}: was derived from {origin!r}, which is not there any more; name another --model"
        )
    return bundle.load(origin)
