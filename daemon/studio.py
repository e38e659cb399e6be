"""All streams of a daemon, and the doors through which more come."""

import resource
import socket
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from threading import Event as Flag

from digitd.daemon.callers.reception import Reception
from digitd.daemon.callers.room import Room
from digitd.daemon.config import DaemonConfig
from digitd.daemon.ensemble import Ensemble
from digitd.daemon.events import Body, Ready, printable
from digitd.daemon.listener import Network
from digitd.daemon.mode import Mode
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.sources.source import POLL_S, Source, SourceConfig
from digitd.daemon.stream import Stream

RESERVED_DESCRIPTORS = 192
"""For all but callers: the readers of sockets, the model, the log."""

Told = Iterator[tuple[Stream, Body]]


class Studio:
    """Hears everything in rounds.

    Args:
        config: of the daemon.
        network: that hears all streams.
        sources: those that are open already.
        handed_over: listening sockets of the service manager; those that streams come over are taken out.
        stop: ends all streams.
        stack: closes what is opened here.

    Raises:
        SinkError: a socket for callers cannot be made.
    """

    def __init__(
        self,
        config: DaemonConfig,
        network: Network,
        sources: Iterable[tuple[SourceConfig, Source]],
        handed_over: dict[Path, socket.socket],
        stop: Flag,
        stack: ExitStack,
    ) -> None:
        self._network, self._mode, self._pipeline, self._stop = network, config.model.mode, config.pipeline, stop
        room = Room(config.streams.most, resource.getrlimit(resource.RLIMIT_NOFILE)[0] - RESERVED_DESCRIPTORS)
        self._ensemble = Ensemble(room.note)
        for each, source in sources:
            name = _free(printable(each.name or source.name), {stream.name for stream in self.streams})
            self.streams.append(self._stream(source, name, each.spec))
        self._receptions: list[Reception] = []
        for each in config.heard:
            if path := each.callers:
                self._receptions.append(Reception(path, config.socket.group, handed_over.pop(path, None), room))
                stack.callback(self._receptions[-1].close)
        self._alone = len(self.streams) == 1 and not self._receptions

    @property
    def streams(self) -> list[Stream]:
        """Those that are heard."""
        return self._ensemble.streams

    @property
    def live(self) -> bool:
        """Whether any sound goes on whether or not anybody reads the events."""
        return bool(self._receptions) or any(stream.source.live for stream in self.streams)

    @property
    def waiting_s(self) -> float:
        """The most that has come of any stream and was not taken in; asked for from any thread."""
        return max((stream.source.waiting_s for stream in list(self.streams)), default=0.0)

    @property
    def told(self) -> str:
        """In a few words what is heard."""
        if self._receptions or len(self.streams) != 1:
            return f"hears {len(self.streams)} streams"
        (stream,) = self.streams
        return f"hears {stream.ready.source}, loudest {stream.pipeline.loudest_dbfs():.0f} dBFS"

    @property
    def taken_in_s(self) -> float:
        """How much of all streams the last round has taken in."""
        return self._ensemble.taken_in_s

    @property
    def waits(self) -> bool:
        """Whether it is open to callers: then it is well though nothing is heard."""
        return bool(self._receptions)

    def goes_on(self) -> bool:
        """Whether there is, or may be, something to hear."""
        return bool(self.streams) or (self.waits and not self._stop.is_set())

    def take_in(self) -> None:
        """What has come of all streams, once it is time for another round."""
        if self._receptions and not self.streams and not self._stop.is_set():
            self._receptions[0].wait(POLL_S)  # before the round: it is no work
        self._ensemble.begin(alone=self._alone)
        self._ensemble.take_in()

    def admit(self) -> Told:
        """The streams of those who have called and are let in, with their first word."""
        for reception in [] if self._stop.is_set() else self._receptions:
            for caller, greeting in reception.admit(lambda: {stream.name for stream in self.streams}):
                stream = self._stream(caller, caller.name, f"unix:{reception.path}", greeting.mode)
                self.streams.append(stream)
                yield stream, stream.ready

    def hear(self) -> Told:
        """What was taken in brings to light."""
        return self._ensemble.hear()

    def switch(self, mode: Mode) -> Told:
        """All go by `mode` from here on, but those who have asked for one of their own."""
        self._mode = mode
        for stream in self.streams:
            if not stream.keeps_mode:
                yield stream, stream.switch(mode)

    def reconfigure(self, config: PipelineConfig) -> Told:
        """Go by other, checked settings; the present ones decide what is open."""
        self._pipeline = config
        for stream in self.streams:
            for body in stream.pipeline.reconfigure(config):
                yield stream, body

    def _stream(self, source: Source, name: str, spec: str, mode: Mode | None = None) -> Stream:
        pipeline = Pipeline(self._network, mode or self._mode, source.rate_hz, self._pipeline)
        manifest = self._network.bundle.manifest
        ready = Ready(manifest.name, self._network.provider, printable(spec), mode or self._mode)
        return Stream(source, pipeline, ready, self._stop, name, keeps_mode=mode is not None)


def _free(name: str, taken: set[str]) -> str:
    """The name, or with a number the first that is not taken."""
    numbered = (f"{name}-{number}" for number in range(2, len(taken) + 3))
    return name if name not in taken else next(each for each in numbered if each not in taken)
