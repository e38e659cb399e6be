"""Fuzzing with atheris: `python -m tests.fuzz NAME [--runs N] [--seconds S] [flags of libFuzzer]`.

What reaches new code is kept in build/fuzz/NAME/corpus, from where the next run goes on. What crashes, hangs or makes
the process grow ends the run and is left in build/fuzz/NAME.
"""

import argparse
import hashlib
import importlib
import sys
from pathlib import Path

import atheris
from tests.fuzz.target import NAMES, Target

FOLDER = Path("build/fuzz")
UNWATCHED = [f"digitd.daemon.{name}" for name in ("audio", "features", "word_span")]
"""They compare arrays; atheris 3.0 never frees the outcome of that."""


def main() -> None:
    """Fuzz one target until something breaks, or the runs or seconds are over."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__, allow_abbrev=False)
    parser.add_argument("name", choices=NAMES)
    parser.add_argument("--runs", type=int, default=-1, metavar="N", help="so many inputs; for ever by default")
    parser.add_argument("--seconds", type=int, default=0, metavar="S", help="for so long; for ever by default")
    parser.add_argument("--folder", type=Path, default=FOLDER, help=f"for what is found; {FOLDER} by default")
    known, flags = parser.parse_known_args()
    with atheris.instrument_imports(include=["digitd", "zipfile"], exclude=UNWATCHED):
        target: Target = importlib.import_module(f"tests.fuzz.{known.name}").TARGET
    folder = known.folder / known.name
    begin(target, folder)
    given = [
        f"-runs={known.runs}",
        f"-max_total_time={known.seconds}",
        f"-max_len={target.longest_bytes}",
        f"-timeout={target.timeout_s}",
        f"-rss_limit_mb={target.most_rss_mb}",
        f"-dict={folder / 'words.dict'}",
        f"-artifact_prefix={folder}/",
        "-print_final_stats=1",
    ]
    atheris.Setup([sys.argv[0], str(folder / "corpus"), *given, *flags], target.run)
    atheris.Fuzz()


def begin(target: Target, folder: Path) -> None:
    """Write what a run begins with beside what earlier ones have found."""
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    for data in target.corpus():
        name = hashlib.sha1(data, usedforsecurity=False).hexdigest()  # as libFuzzer names them
        (folder / "corpus" / name).write_bytes(data)
    (folder / "words.dict").write_text(target.dictionary())


if __name__ == "__main__":
    main()
