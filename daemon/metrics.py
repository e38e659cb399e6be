"""What the daemon counts, for Prometheus; the library is imported only where metrics are asked for."""

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import digitd
from digitd.daemon.errors import ConfigError
from digitd.daemon.events import Body, Digit, Ready, Rejected, SourceState, String

if TYPE_CHECKING:
    from http.server import BaseHTTPRequestHandler

    from prometheus_client import CollectorRegistry

LATENCY_BUCKETS_S = (0.05, 0.1, 0.15, 0.2, 0.25, 0.3, 0.4, 0.5, 0.75, 1.0)
"""A digit comes 0.1 to 0.25 s after the end of its word."""
OVERRUN_SHOWN_S = 60.0
"""So much audio later a source still counts as overrun: over in an instant, no scrape would see it."""
ABSENCES = ("lost", "stalled")
SIGNAL_TROUBLES = ("silent", "clipping")

_HOSTS = {"127.0.0.1": "127.0.0.1", "localhost": "127.0.0.1", "[::1]": "::1"}
_HOST_PORT = re.compile("(.*):([0-9]{1,5})", re.DOTALL)
_REMEDY = "write unix:PATH, 127.0.0.1:PORT, localhost:PORT or [::1]:PORT"


@dataclass(frozen=True)
class MetricsConfig:
    """Where the metrics can be scraped."""

    listen: str = ""
    """`unix:PATH`, `127.0.0.1:PORT`, `localhost:PORT` or `[::1]:PORT`; empty: nowhere. Port 0 takes a free one."""
    group: str = ""
    """May scrape a Unix socket beside its owner; empty: nobody."""

    def __post_init__(self) -> None:
        if self.listen and not isinstance(self.address, Path) and self.group:
            raise ValueError(f'group = {self.group!r} cannot guard a port; write listen = "unix:PATH", or no group')

    @property
    def address(self) -> Path | tuple[str, int]:
        """A Unix socket's path, or a loopback address and a port. ValueError where `listen` is neither."""
        kind, _, path = self.listen.partition(":")
        if kind == "unix":
            if not path or "\0" in path:
                raise ValueError(f"listen = {self.listen!r} holds no path that can be; {_REMEDY}")
            return Path(path)
        found = _HOST_PORT.fullmatch(self.listen)
        if found is None or int(found[2]) > 65535:
            raise ValueError(f"listen = {self.listen!r} ends in no port; {_REMEDY}")
        if found[1] not in _HOSTS:
            raise ValueError(f"listen = {self.listen!r} is not loopback, other machines may reach it; {_REMEDY}")
        return _HOSTS[found[1]], int(found[2])


class Metrics:
    """Counts what the stream's one thread tells; any thread may scrape it.

    Args:
        secret: nothing about digits is counted: not which, not how many, not when. Such metrics are not even there.

    Raises:
        ConfigError: prometheus-client is not installed.
    """

    def __init__(self, secret: bool) -> None:
        try:
            from prometheus_client import CollectorRegistry, Counter, Info, MetricsHandler
        except ModuleNotFoundError as error:
            raise ConfigError(
                "metrics.listen needs prometheus-client; install it with `pip install 'digitd[metrics]'`"
            ) from error
        self._secret = secret
        self._registry = registry = CollectorRegistry()
        self._depths: dict[str, list[Callable[[], float]]] = {}
        self.handler: type[BaseHTTPRequestHandler] = MetricsHandler.factory(registry)
        """Answers one scrape, in the format that it asks for."""
        watch_process(registry)
        Info("digitd_build", "What runs.", registry=registry).info({"version": digitd.__version__})
        self._model = Info("digitd_model", "What answers, and where.", registry=registry)
        self._audio = Counter("digitd_audio_seconds_total", "Audio that was taken in.", registry=registry)
        self._dropped = Counter(
            "digitd_dropped_total", "What was dropped because too much waited.", ["what"], registry=registry
        )
        self._dropped.labels("readers")
        self._source = SourceMetrics(registry)
        self._words = None if secret else WordMetrics(registry)

    def take_in(self, seconds: float) -> None:
        """Count audio that has come."""
        self._audio.inc(seconds)
        self._source.take_in(seconds)

    def hear(self, body: Body, in_process_s: float) -> None:
        """Count what is published, so long after the audio that brought it to light had come."""
        if isinstance(body, Ready):
            self._model.info({"model": body.model, "provider": body.provider, "mode": body.mode})
        elif isinstance(body, SourceState):
            self._source.hear(body)
        elif self._words is not None:
            self._words.hear(body, in_process_s)

    def infer(self, count: int, seconds: float) -> None:
        """Count runs of the network, and the time that they took together."""
        if self._words is not None:
            self._words.infer(count, seconds)

    def drop(self, what: str, n: int = 1) -> None:
        """Count dropped `readers` or `events`; if secret, readers only: so many events are so many digits."""
        if what == "readers" or not self._secret:
            self._dropped.labels(what).inc(n)

    def depth(self, queue: str, read: Callable[[], float], *, of_events: bool = False) -> None:
        """Show how much waits in a queue, as the gauge `digitd_<queue>`.

        Args:
            queue: its name, which tells the unit too: `socket_waiting_bytes`. Given again, the sum is shown.
            read: called at each scrape, on the scrape's thread.
            of_events: what waits are events; if secret, they are not shown.
        """
        if of_events and self._secret:
            return
        reads = self._depths.setdefault(queue, [])
        reads.append(read)
        if len(reads) == 1:
            from prometheus_client import Gauge

            gauge = Gauge(f"digitd_{queue}", f"Now: {queue.replace('_', ' ')}.", registry=self._registry)
            gauge.set_function(lambda: sum(each() for each in reads))


def watch_process(registry: "CollectorRegistry", proc: str = "/proc") -> None:
    """Show the process's memory, time, descriptors and start."""
    from prometheus_client import ProcessCollector

    process = ProcessCollector(proc=proc, registry=registry)
    # without /proc/stat, which a sandbox may hide (ProcSubset=pid), the library tells nothing at all
    process._btime = process._btime or int(time.time() - time.clock_gettime(time.CLOCK_BOOTTIME))


class SourceMetrics:
    """How the source is, and what of its audio is missing."""

    def __init__(self, registry: "CollectorRegistry") -> None:
        from prometheus_client import Counter, Enum

        states = ("starting", "listening", *ABSENCES, "overrun", *SIGNAL_TROUBLES)
        self._state = Enum("digitd_source_state", "How the source is.", states=states, registry=registry)
        self._told = Counter("digitd_source_events_total", "What it told of itself.", ["state"], registry=registry)
        self._missing = Counter(
            "digitd_missing_audio_seconds_total",
            "Audio that was lost here, or not sent while the source was away.",
            ["cause"],
            registry=registry,
        )
        for state in (*ABSENCES, "overrun", *SIGNAL_TROUBLES, "back"):
            self._told.labels(state)
        for cause in ("overrun", "away"):
            self._missing.labels(cause)
        self._absence = "starting"
        self._overrun_s = 0.0  # of audio for which it is still shown
        self._troubles: list[str] = []  # with its signal, the oldest first

    def take_in(self, seconds: float) -> None:
        """Audio came: a source that was only starting is listening."""
        if self._absence == "starting":
            self._absence = ""
        self._overrun_s = max(0.0, self._overrun_s - seconds)
        self._show()

    def hear(self, body: SourceState) -> None:
        """Go by what the source told of itself."""
        self._told.labels(body.state).inc()
        self._missing.labels("overrun" if body.state == "overrun" else "away").inc(body.dropped_s)
        if body.state in ABSENCES:
            self._absence = body.state
        elif body.state == "overrun":
            self._overrun_s = OVERRUN_SHOWN_S
        elif body.state in SIGNAL_TROUBLES:
            self._troubles.append(body.state)
        elif self._absence in ABSENCES:
            self._absence = ""
        else:
            del self._troubles[:1]
        self._show()

    def _show(self) -> None:
        self._state.state(self._absence or ("overrun" if self._overrun_s else (self._troubles or ["listening"])[-1]))


class WordMetrics:
    """What was heard, and how soon it was told. A run of the network tells of it too, where one run hears one word."""

    def __init__(self, registry: "CollectorRegistry") -> None:
        from prometheus_client import Counter, Histogram

        self._digits = Counter("digitd_digits_total", "Digits published.", ["digit"], registry=registry)
        for digit in range(10):
            self._digits.labels(str(digit))
        self._rejected = Counter("digitd_rejected_total", "Speech that was no digit.", registry=registry)
        self._strings = Counter("digitd_strings_total", "Strings of digits published.", ["legal"], registry=registry)
        for legal in ("true", "false"):
            self._strings.labels(legal)
        self._latency = Histogram(
            "digitd_digit_latency_seconds",
            "From the end of a digit's word until it was published.",
            buckets=LATENCY_BUCKETS_S,
            registry=registry,
        )
        self._runs = Counter("digitd_inferences_total", "Runs of the network.", registry=registry)
        self._run_s = Counter("digitd_inference_seconds_total", "Time they took together.", registry=registry)

    def hear(self, body: Body, in_process_s: float) -> None:
        """Count a digit, a string or a rejection."""
        if isinstance(body, Digit):
            self._digits.labels(body.digit).inc()
            self._latency.observe(body.emitted_s - body.end_s + in_process_s)
        elif isinstance(body, Rejected):
            self._rejected.inc()
        elif isinstance(body, String):
            self._strings.labels(str(body.legal).lower()).inc()

    def infer(self, count: int, seconds: float) -> None:
        """Count runs of the network, and the time that they took together."""
        self._runs.inc(count)
        self._run_s.inc(seconds)
