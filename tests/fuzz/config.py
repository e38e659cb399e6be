"""The text of digitd.toml."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import tomli_w
from tests.fuzz import hostile_toml
from tests.fuzz.target import ROOT, Target

from digitd.daemon.config import DaemonConfig, compose, effective
from digitd.daemon.errors import ConfigError
from digitd.daemon.settings import parse

ORIGIN = "digitd.toml"
FLAGS = {"source": {"spec": "a.wav"}, "sinks": ["stdout:jsonl"]}
FOLDER = Path(tempfile.mkdtemp(prefix="digitd-fuzz-"))


def run(data: bytes) -> None:
    """It is settings, which read back as they are written, or is refused, a line a problem."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        compose_file(data)
        return
    try:
        config = parse(DaemonConfig, text, ORIGIN)
    except ConfigError as error:
        hostile_toml.refused(error, ORIGIN)
    else:
        assert parse(DaemonConfig, tomli_w.dumps(effective(config)), ORIGIN) == config
        compose_file(data)


def compose_file(data: bytes) -> None:
    """The same out of a file, with a command line over it."""
    file = FOLDER / ORIGIN
    file.write_bytes(data)
    try:
        assert compose(file, FLAGS).source.spec == "a.wav"
    except ConfigError as error:
        hostile_toml.refused(error, str(file))


def seeds() -> Iterator[bytes]:
    """The shipped file, and each of its tables with each value in turn replaced by one that nobody means."""
    yield (ROOT / "systemd/digitd.toml").read_bytes()
    for name, value in effective(DaemonConfig()).items():
        yield from hostile_toml.variants(tomli_w.dumps({name: value}))


FOUND = (
    f"[segmenter]\nlevel_range_db = {hostile_toml.TOO_LARGE}\n",  # OverflowError: no float
    f"[source]\nrate_hz = {hostile_toml.TOO_LONG}\n",  # ValueError: too many digits to print
    f"sinks = {hostile_toml.TOO_DEEP}\n",  # RecursionError: too deep to print
    f"[string.format]\npatterns = ['{'(' * 2000}{')' * 2000}']\n",  # RecursionError within `re`
    "[string.format]\npatterns = ['a{99999999999999999999}']\n",  # OverflowError within `re`
    '"a\\nb" = 1\n',  # a refusal of two lines
    f"log_level = {hostile_toml.SLOW_STRING}\n",  # ten seconds, and with every blank more
    "[[a]]\n" * 1300,  # a tenth of a second, and with the square of their number more
)

TARGET = Target(
    run=run,
    seeds=seeds,
    found=tuple(text.encode() for text in FOUND),
    words=hostile_toml.words(DaemonConfig),
    longest_bytes=8192,
    timeout_s=5,
)
