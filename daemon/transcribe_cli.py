"""`digitd transcribe`: the strings of many recordings, with a progress bar."""

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

from digitd import models
from digitd.daemon.command import Command
from digitd.daemon.errors import ConfigError, SinkError

if TYPE_CHECKING:
    from digitd.daemon.config import DaemonConfig
    from digitd.daemon.transcribe import Transcript

    Engine = Callable[[Sequence[str], DaemonConfig], Iterator[Transcript]]


def _add_transcribe(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="a WAV or FLAC file, a folder of them, or a URL of either that fsspec reaches (s3://, gs://, https://)",
    )
    parser.add_argument(
        "--format",
        choices=("text", "jsonl", "csv"),
        default="text",
        help="text (default: a string a line), jsonl (a recording a line), csv (a string a row)",
    )
    parser.add_argument(
        "--out", type=Path, metavar="FILE", help="written whole or not at all (default standard output)"
    )
    parser.add_argument("--processes", type=int, metavar="N", help="recordings at once (default: all cores)")
    parser.add_argument(
        "--engine",
        choices=("processes", "ray"),
        default="processes",
        help="processes (default: of this machine), or ray: of a cluster, where a lost one is replaced",
    )
    parser.add_argument("--address", metavar="HOST:PORT", help="with --engine ray: of the cluster (default: its own)")
    parser.add_argument(
        "--config", type=Path, metavar="FILE", help="a digitd.toml; [model], [segmenter], [string] count"
    )
    parser.add_argument("--model", metavar="NAME|DIR", help=f"a bundle (default {models.DEFAULT_MODEL})")
    parser.add_argument("--provider", metavar="PROVIDER", help="auto (default), cpu, cuda or kserve:URL")
    parser.add_argument("--mode", metavar="MODE", help="always (default) or entry (nothing but digits is expected)")


def _transcribe(arguments: argparse.Namespace) -> int:
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # before numpy is there: each process has a core
    from tqdm import tqdm

    from digitd.daemon.config import compose
    from digitd.daemon.recordings import listed
    from digitd.daemon.sinks.sink import ReaderGone
    from digitd.daemon.transcribe import header, rows

    given = {"name": arguments.model, "mode": arguments.mode, "provider": arguments.provider}
    config = compose(arguments.config, {"model": {key: value for key, value in given.items() if value is not None}})
    engine = _engine(arguments)
    names = listed(arguments.files)
    broken: list[Transcript] = []
    with suppress(ReaderGone), _written(arguments.out) as write:
        write(header(arguments.format))
        bar = tqdm(engine(names, config), "transcribing", len(names), unit="file", disable=None, leave=False)
        for transcript, lines in rows(bar, arguments.format):
            write(lines)
            if transcript.problem:
                broken.append(transcript)
    for transcript in broken:
        print(f"digitd: error: {transcript.problem}", file=sys.stderr)
    if broken:
        print(f"digitd: {len(broken)} of {len(names)} recordings are broken", file=sys.stderr)
    return 1 if broken else 0


def _engine(arguments: argparse.Namespace) -> "Engine":
    """What runs them."""
    n_processes = arguments.processes if arguments.processes is not None else os.cpu_count() or 1
    if n_processes < 1:
        raise ConfigError(f"--processes {n_processes} must be at least 1")
    if arguments.engine == "ray":
        from digitd.daemon import transcribe_ray

        return partial(transcribe_ray.transcripts, n_workers=n_processes, address=arguments.address)
    if arguments.address is not None:
        raise ConfigError(f"--address {arguments.address} takes --engine ray")
    from digitd.daemon import transcribe

    return partial(transcribe.transcripts, n_processes=n_processes)


@contextmanager
def _written(path: Path | None) -> Iterator[Callable[[str], Any]]:
    """What writes text to standard output, or to a file that is put in its place at the end."""
    if path is None:
        yield partial(_to_stdout, sys.stdout)  # Ray's messages are kept off it by another in its place
        return
    beside = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        with beside.open("w", encoding="utf-8") as file:
            yield file.write
        beside.replace(path)
    except OSError as error:
        raise SinkError(f"{path}: cannot be written ({error.strerror or error}); name another --out") from error
    finally:
        with suppress(OSError):  # it has been renamed, or never was
            beside.unlink()


def _to_stdout(out: TextIO | None, lines: str) -> None:
    from digitd.daemon.sinks.stdout import write_line

    if lines:
        write_line(lines.removesuffix("\n"), out)


COMMANDS = {"transcribe": Command(_add_transcribe, _transcribe)}
