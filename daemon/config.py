"""digitd.toml and the command line, composed into one value."""

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from digitd.daemon.bundle import Mode
from digitd.daemon.embedding import DigitConfig
from digitd.daemon.pipeline import PipelineConfig
from digitd.daemon.segmenter import SegmenterConfig
from digitd.daemon.session import Provider
from digitd.daemon.settings import as_table, from_table, parse, read_text
from digitd.daemon.sources.source import SourceConfig
from digitd.daemon.string_decoder import StringConfig
from digitd.models import DEFAULT_MODEL


@dataclass(frozen=True)
class ModelConfig:
    """Which bundle answers, how, and where it runs."""

    name: str = DEFAULT_MODEL
    """A released bundle's name or a bundle's folder."""
    mode: Mode = "always"
    provider: Provider = "auto"


@dataclass(frozen=True)
class DaemonConfig:
    """Everything that digitd.toml may hold."""

    source: SourceConfig = field(default_factory=SourceConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    segmenter: SegmenterConfig = field(default_factory=SegmenterConfig)
    digit: DigitConfig = field(default_factory=DigitConfig)
    string: StringConfig = field(default_factory=StringConfig)
    sinks: tuple[str, ...] = ("stdout:text",)
    log_level: Literal["debug", "info", "warning", "error"] = "warning"

    def __post_init__(self) -> None:
        if not self.sinks:
            raise ValueError("sinks = [] would publish nothing; name at least one")
        if len(set(self.sinks)) < len(self.sinks):
            raise ValueError(f"sinks = {list(self.sinks)} names one twice; name each once")

    @property
    def pipeline(self) -> PipelineConfig:
        """The part that the pipeline takes."""
        return PipelineConfig(self.segmenter, self.string, self.digit)


def compose(file: Path | None, flags: dict[str, Any]) -> DaemonConfig:
    """Defaults, over them the file, over it the command line's `flags` (a table like the file's).

    Raises:
        ConfigError: all problems of the file, or of the flags.
    """
    alone = from_table(DaemonConfig, flags, "command line")
    if file is None:
        return alone
    text = read_text(file)
    parse(DaemonConfig, text, str(file))  # for its problems, with their lines
    return from_table(DaemonConfig, _merged(tomllib.loads(text), flags), str(file))


def effective(config: DaemonConfig) -> dict[str, Any]:
    """The table of every key, ready for a TOML writer."""
    return as_table(config)


def _merged(below: dict[str, Any], above: dict[str, Any]) -> dict[str, Any]:
    both = dict(below)
    for key, value in above.items():
        both[key] = _merged(both.get(key, {}), value) if isinstance(value, dict) else value
    return both
