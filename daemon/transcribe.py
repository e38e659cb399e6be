"""Many recordings -> their strings of digits, in several processes; one that is broken does not stop the others."""

import csv
import io
import json
import multiprocessing
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import closing
from dataclasses import dataclass
from threading import Event as Flag
from typing import Literal

from digitd.daemon import bundle
from digitd.daemon.config import DaemonConfig
from digitd.daemon.errors import AudioError, DigitdError
from digitd.daemon.events import String, printable
from digitd.daemon.listener import Network, open_network
from digitd.daemon.mode import Mode
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.recordings import at_hand
from digitd.daemon.sources.recording import RecordingSource

Format = Literal["text", "jsonl", "csv"]
COLUMNS = ("file", "start_s", "end_s", "digits", "confidence", "legal")
AHEAD = 4
"""So many recordings a process are given out ahead of the one whose turn it is."""


@dataclass(frozen=True)
class Transcript:
    """What was heard in one recording."""

    name: str
    """Of its file, or its URL."""
    length_s: float
    strings: tuple[String, ...]
    problem: str = ""
    """Why nothing was, where the recording is broken; else empty."""


class Transcriber:
    """One network, and recordings through it one by one."""

    def __init__(self, network: Network, mode: Mode, config: PipelineConfig) -> None:
        self._network, self._mode, self._config = network, mode, config

    def transcript(self, name: str) -> Transcript:
        """The strings of a recording, or what is wrong with it."""
        length_s, strings = 0.0, []
        try:
            with at_hand(name) as path, closing(RecordingSource(path)) as source:
                pipeline = Pipeline(self._network, self._mode, source.rate_hz, self._config)
                for block in source.blocks(Flag()):
                    length_s += len(block.frames) / source.rate_hz
                    strings += [body for body in pipeline.push(block) if isinstance(body, String)]
                strings += [body for body in pipeline.finish() if isinstance(body, String)]
        except AudioError as error:
            return Transcript(name, length_s, (), str(error))
        return Transcript(name, length_s, tuple(strings))


_transcriber: Transcriber | None = None


def _open(config: DaemonConfig) -> None:
    """Of one process, before its first recording."""
    global _transcriber
    network = open_network(bundle.load(config.model.name), config.model.provider)
    _transcriber = Transcriber(network, config.model.mode, config.pipeline)


def _transcript(name: str) -> Transcript:
    assert _transcriber is not None  # noqa: S101 - `_open` ran before
    return _transcriber.transcript(name)


def transcripts(names: Sequence[str], config: DaemonConfig, n_processes: int) -> Iterator[Transcript]:
    """Of each recording, in the order given.

    Raises:
        BundleError: the bundle does not answer as it did when it was released.
        DigitdError: a process was killed.
        ProviderError: CUDA was asked for and is not in use, or no server answers.
    """
    _open(config)  # also: whatever is wrong with the model is told once, by this process
    if n_processes == 1 or len(names) == 1:
        yield from map(_transcript, names)
        return
    fresh = multiprocessing.get_context("spawn")  # ONNX Runtime's threads survive no fork
    with ProcessPoolExecutor(min(n_processes, len(names)), fresh, _open, (config,)) as processes:
        waiting: list[Future[Transcript]] = []
        try:
            for name in names:
                waiting.append(processes.submit(_transcript, name))
                if len(waiting) >= AHEAD * n_processes:
                    yield waiting.pop(0).result()
            while waiting:
                yield waiting.pop(0).result()
        except BrokenProcessPool as error:
            raise DigitdError("a process was killed, out of memory perhaps; give fewer --processes") from error
        finally:
            for future in waiting:
                future.cancel()


def rows(found: Iterable[Transcript], form: Format) -> Iterator[tuple[Transcript, str]]:
    """Each transcript with its lines, ready to be written; a broken recording has none but in JSON Lines."""
    line = _FORMS[form]
    for transcript in found:
        yield transcript, line(transcript)


def header(form: Format) -> str:
    """What comes before all rows."""
    return _csv([COLUMNS]) if form == "csv" else ""


def _text(transcript: Transcript) -> str:
    name = printable(transcript.name)
    return "".join(f"{name}\t{s.start_s:.2f}\t{s.end_s:.2f}\t{s.digits}\n" for s in transcript.strings)


def _jsonl(transcript: Transcript) -> str:
    table: dict[str, object] = {"file": printable(transcript.name)}
    if transcript.problem:
        table["error"] = transcript.problem
    else:
        table["length_s"] = round(transcript.length_s, 3)
        table["strings"] = [string.table() for string in transcript.strings]
    return json.dumps(table, ensure_ascii=False, allow_nan=False) + "\n"


def _as_csv(transcript: Transcript) -> str:
    name = printable(transcript.name)
    return _csv(
        (name, f"{s.start_s:.3f}", f"{s.end_s:.3f}", s.digits, f"{s.confidence:.4f}", str(s.legal).lower())
        for s in transcript.strings
    )


def _csv(table: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(table)
    return text.getvalue()


_FORMS: dict[Format, Callable[[Transcript], str]] = {"text": _text, "jsonl": _jsonl, "csv": _as_csv}
