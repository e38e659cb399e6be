"""digitd.toml and the command line, composed into one value."""

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from digitd.daemon.embedding import DigitConfig
from digitd.daemon.engines.provider import parse_provider
from digitd.daemon.errors import ConfigError
from digitd.daemon.log import LogFormat
from digitd.daemon.metrics import MetricsConfig
from digitd.daemon.mode import Mode
from digitd.daemon.origin import COMMAND_LINE, KeyPath, line_numbers, merged, origins
from digitd.daemon.pipeline import PipelineConfig
from digitd.daemon.segmenter import SegmenterConfig
from digitd.daemon.settings import as_table, from_table, parse_table, read_text, setting
from digitd.daemon.sinks.mqtt_address import refuse_password
from digitd.daemon.sinks.mqtt_config import MqttConfig
from digitd.daemon.sinks.sink import HookConfig, SocketConfig
from digitd.daemon.sources.source import SourceConfig
from digitd.daemon.string_decoder import StringConfig
from digitd.models import DEFAULT_MODEL


@dataclass(frozen=True)
class ModelConfig:
    """Which bundle answers, how, and where it runs."""

    name: str = DEFAULT_MODEL
    """A released bundle's name or a bundle's folder."""
    mode: Mode = "always"
    provider: str = "auto"
    """Where it runs: auto, cpu, cuda, or kserve:URL of a server, of several replicas with commas between."""

    def __post_init__(self) -> None:
        parse_provider(self.provider)


@dataclass(frozen=True)
class StreamsConfig:
    """Of streams that come over a socket."""

    most: int = setting(0, at_least=0, at_most=10000)
    """So many streams are heard at once, those of other sources too; 0: as many as the processor has room for."""


@dataclass(frozen=True)
class DaemonConfig:
    """Everything that digitd.toml may hold."""

    source: SourceConfig = field(default_factory=SourceConfig)
    sources: tuple[SourceConfig, ...] | None = None
    """Where several are heard at once, in place of `source`."""
    streams: StreamsConfig = field(default_factory=StreamsConfig)
    model: ModelConfig = field(default_factory=ModelConfig)
    segmenter: SegmenterConfig = field(default_factory=SegmenterConfig)
    digit: DigitConfig = field(default_factory=DigitConfig)
    string: StringConfig = field(default_factory=StringConfig)
    socket: SocketConfig = field(default_factory=SocketConfig)
    hook: HookConfig = field(default_factory=HookConfig)
    mqtt: MqttConfig = field(default_factory=MqttConfig)
    metrics: MetricsConfig = field(default_factory=MetricsConfig)
    sinks: tuple[str, ...] = ("stdout:text",)
    secret: bool = False
    """Whether nothing about digits may get into logs, metrics or the journal; the sinks still have them."""
    log_level: Literal["debug", "info", "warning", "error"] = "warning"
    log_format: LogFormat = "auto"

    def __post_init__(self) -> None:
        if not self.sinks:
            raise ValueError("sinks = [] would publish nothing; name at least one")
        if self.sources and self.source != SourceConfig():
            raise ValueError("`source` and `sources` both name what is heard; keep one of them")
        if len(set(self.sinks)) < len(self.sinks):
            raise ValueError(f"sinks = {list(self.sinks)} names one twice; name each once")
        for spec in self.sinks:
            refuse_password(spec)

    @property
    def heard(self) -> tuple[SourceConfig, ...]:
        """All sources, one or several."""
        return self.sources or (self.source,)

    @property
    def pipeline(self) -> PipelineConfig:
        """The part that the pipeline takes."""
        return PipelineConfig(self.segmenter, self.string, self.digit)

    def restarting(self, running: "DaemonConfig") -> list[str]:
        """The names of what differs from a running daemon's settings and takes a restart."""
        same_network = replace(self.model, mode=running.model.mode) == running.model
        names = ["source", "sources", "streams", "socket", "metrics", "secret"]
        return [name for name in names if getattr(self, name) != getattr(running, name)] + ["model"] * (
            not same_network
        )

    def reloaded(self, wanted: "DaemonConfig") -> "DaemonConfig":
        """These settings, with those of `wanted` that a running daemon can take up."""
        model = replace(self.model, mode=wanted.model.mode)
        return replace(
            wanted,
            model=model,
            source=self.source,
            sources=self.sources,
            streams=self.streams,
            socket=self.socket,
            metrics=self.metrics,
            secret=self.secret,
        )


@dataclass(frozen=True)
class Composition:
    """Settings, and where they come from."""

    config: DaemonConfig
    origins: dict[str, Any]
    """Of each key that was given, nested like the file: `FILE:LINE` or `command line`."""


def compose(file: Path | None, flags: dict[str, Any]) -> DaemonConfig:
    """Defaults, over them the file, over it the command line's `flags` (a table like the file's).

    Raises:
        ConfigError: all problems of the file and of the flags.
    """
    return composition(file, flags).config


def composition(file: Path | None, flags: dict[str, Any]) -> Composition:
    """What `compose` gives, with its origins.

    Raises:
        ConfigError: as `compose`.
    """
    table, lines, problems = ({}, {}, "") if file is None else _read(file)
    try:  # the file alone is right, so what is wrong with both is the flags' doing
        config = from_table(DaemonConfig, merged(_overruled(table, flags), flags), COMMAND_LINE)
    except ConfigError as error:
        problems = f"{problems}\n{error}" if problems else str(error)
    if problems:
        raise ConfigError(problems)
    below = origins(_overruled(table, flags), lambda path: f"{file}:{lines[path]}")
    return Composition(config, merged(below, origins(flags, lambda _path: COMMAND_LINE)))


def _overruled(table: dict[str, Any], flags: dict[str, Any]) -> dict[str, Any]:
    """A file's table without its sources, where the command line names others."""
    if "sources" in flags:
        return {key: value for key, value in table.items() if key != "source"}
    if "spec" in flags.get("source", {}):
        return {key: value for key, value in table.items() if key != "sources"}
    return table


def _read(file: Path) -> tuple[dict[str, Any], dict[KeyPath, int], str]:
    """A file's table, the line of each of its keys, and its problems, where it has some in place of the others."""
    try:
        text = read_text(file)  # once: it may be a pipe
        table = parse_table(text, str(file))
        lines = line_numbers(text)
        from_table(DaemonConfig, table, str(file), lines)
    except ConfigError as error:
        return {}, {}, str(error)
    return table, lines, ""


def effective(config: DaemonConfig) -> dict[str, Any]:
    """The table of every key, ready for a TOML writer."""
    return as_table(config)
