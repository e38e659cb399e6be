"""A bundle -> a model repository of NVIDIA Triton, one more version of the network in it."""

import os
import shutil
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from digitd.daemon.bundle import Bundle
from digitd.daemon.engines.kserve import served_version
from digitd.daemon.errors import ExportError
from digitd.export.triton_config import CONFIG, GRAPH, Serving, config, tensors
from digitd.trainer.runfile import NAME


@dataclass(frozen=True)
class Served:
    """Where a bundle's network stands in a repository."""

    folder: Path
    version: int


def export(bundle: Bundle, repository: Path, serving: Serving, *, replace: bool = False) -> Served:
    """Put a bundle's network into a repository, beside its other versions; a server sees it whole or not at all.

    Args:
        bundle: What is to be served.
        repository: The folder that `tritonserver --model-repository` names.
        serving: How.
        replace: Whether the other versions go.

    Raises:
        ExportError: the folder cannot be written, or networks of another form stand there.
    """
    manifest = bundle.manifest
    if not all(map(NAME.fullmatch, (manifest.name, manifest.graph.input, manifest.graph.output))):
        raise ExportError(
            f"{bundle.folder}: a served network and its tensors need names of letters, digits, '.', '_', '-'"
        )
    found = Served(repository / manifest.name, served_version(manifest))
    text = config(manifest, serving)
    try:
        if replace or not found.folder.exists():
            _put_model(bundle, found, text)
        else:
            _check_form(bundle, found.folder)
            _put_version(bundle, found, text)
    except OSError as error:
        raise ExportError(f"{found.folder}: cannot be written ({error.strerror}); name another --out") from error
    return found


def _put_model(bundle: Bundle, found: Served, text: str) -> None:
    beside, old = _beside(found.folder, "part"), _beside(found.folder, "old")
    try:
        _copy(bundle, beside / str(found.version))
        (beside / CONFIG).write_text(text, encoding="utf-8")
        if found.folder.exists():
            found.folder.rename(old)
        beside.rename(found.folder)
    finally:
        for rest in (beside, old):
            shutil.rmtree(rest, ignore_errors=True)


def _put_version(bundle: Bundle, found: Served, text: str) -> None:
    version, part = found.folder / str(found.version), _beside(found.folder / CONFIG, "part")
    if not version.exists():
        beside = _beside(version, "part")
        try:
            _copy(bundle, beside)
            beside.rename(version)
        finally:
            shutil.rmtree(beside, ignore_errors=True)
    try:
        part.write_text(text, encoding="utf-8")
        part.replace(found.folder / CONFIG)
    finally:
        with suppress(OSError):  # it has been renamed
            part.unlink()


def _check_form(bundle: Bundle, folder: Path) -> None:
    if tensors(bundle.manifest) not in (folder / CONFIG).read_text(encoding="utf-8"):
        raise ExportError(
            f"{folder}: holds networks of other inputs or outputs, and one server answers by one form under one name; "
            "give --replace, or name another --out"
        )


def _copy(bundle: Bundle, version: Path) -> None:
    version.mkdir(parents=True)
    shutil.copyfile(bundle.graph_path, version / GRAPH)


def _beside(path: Path, what: str) -> Path:
    """A name that no server looks at."""
    return path.with_name(f".{path.name}.{os.getpid()}.{what}")
