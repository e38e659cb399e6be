"""The daemon: opens everything in order, hears its streams to their end or to a signal, closes in reverse order."""

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack

from digitd.daemon import activation, bundle, log
from digitd.daemon.callers.caller import Caller
from digitd.daemon.config import DaemonConfig
from digitd.daemon.controls import Controls, heeded
from digitd.daemon.errors import AudioError, DigitdError
from digitd.daemon.events import Body, Digit, End, SourceState
from digitd.daemon.listener import Network, open_network
from digitd.daemon.meter import Meter
from digitd.daemon.notify import Notifier
from digitd.daemon.outlets import Outlets
from digitd.daemon.sinks.sink import Surroundings
from digitd.daemon.sources.source import Source, SourceConfig, open_source
from digitd.daemon.stream import Stream
from digitd.daemon.string_decoder import StringDecoder
from digitd.daemon.studio import Studio, Told

logger = logging.getLogger(__name__)

Reread = Callable[[], DaemonConfig]


def serve(config: DaemonConfig, reread: Reread | None = None) -> None:
    """Recognise until all sources end or SIGINT or SIGTERM comes; everything pending is published before the return.

    SIGUSR1 and the readers of a socket switch its mode. SIGHUP takes up what `reread` gives, where that is given.

    Raises:
        DigitdError: something cannot be opened, or the audio is damaged.
    """
    controls = Controls(config.model.mode)
    with ExitStack() as stack:
        stack.enter_context(heeded(controls, reloads=reread is not None))
        notifier = Notifier()
        stack.callback(notifier.close)
        released = bundle.load(config.model.name)
        sources = []
        for each in config.heard:
            if not each.callers:
                sources.append((each, open_source(each, released.manifest.sample_rate_hz)))
                stack.callback(sources[-1][1].close)  # a microphone opens in the meantime
        network = open_network(released, config.model.provider)
        Daemon(config, reread, controls, network, sources, notifier, stack).run()
        notifier.stopping()


class Daemon:
    """All streams with all that is around them, open; `stack` closes it."""

    def __init__(
        self,
        config: DaemonConfig,
        reread: Reread | None,
        controls: Controls,
        network: Network,
        sources: list[tuple[SourceConfig, Source]],
        notifier: Notifier,
        stack: ExitStack,
    ) -> None:
        self._config, self._controls, self._notifier = config, controls, notifier
        self._reread = reread or (lambda: config)
        self._mode = config.model.mode
        self._handed_over = activation.handed_over()
        self._studio = Studio(config, network, sources, self._handed_over, controls.stop, stack)
        self._meter = Meter(config, network, self._studio)
        stack.callback(self._meter.close)
        self._live = self._studio.live
        self._outlets = Outlets(config.sinks, self._surroundings(config))
        stack.callback(self._outlets.close)
        self._meter.watch(self._outlets)
        self._troubles: list[AudioError] = []

    def _surroundings(self, config: DaemonConfig) -> Surroundings:
        return Surroundings(
            stop=self._controls.stop,
            switch=self._controls.switch,
            live=self._live,
            secret=config.secret,
            socket_config=config.socket,
            hook_config=config.hook,
            mqtt_config=config.mqtt,
            handed_over=self._handed_over,
            count_dropped=self._meter.drop,
        )

    def run(self) -> None:
        """Publish all streams to their end; they end early where no sink has a reader any more.

        Raises:
            AudioError: the sound of a source was damaged; the others were heard to their end.
        """
        for stream, body in self._bodies():
            if stream.trouble and isinstance(body, End):
                self._mind(stream, stream.trouble)
            event = stream.stamp.event(body)
            self._outlets.publish(event)
            if isinstance(stream.source, Caller):
                stream.source.publish(event)
            self._meter.hear(body, time.monotonic() - stream.captured_s)
            self._log(stream, body)
            if not self._outlets.sinks:
                return
        if self._troubles:
            raise AudioError("\n".join(map(str, self._troubles)))

    def _bodies(self) -> Told:
        """All bodies of all streams."""
        for stream in self._studio.streams:
            yield stream, stream.ready
        while self._studio.goes_on():
            self._studio.take_in()
            yield from self._controlled()
            self._look_on()
            yield from self._studio.hear()
            yield from self._studio.admit()
            self._tend()

    def _look_on(self) -> None:
        """Through a sink, at the first stream: what is heard of a hundred at a time nobody could follow."""
        for n, stream in enumerate(self._studio.streams):
            stream.pipeline.watched = n == 0 and self._outlets.watched

    def _tend(self) -> None:
        """Tell those around of what a round has taken in."""
        if self._studio.taken_in_s or self._studio.waits:
            self._notifier.hear()
        if self._studio.taken_in_s:
            self._meter.take_in(self._studio.taken_in_s)
        for stream in self._studio.streams[:1]:
            if glimpse := stream.pipeline.glimpse():
                self._outlets.show(glimpse.to_json(stream.name))
        if self._studio.streams and self._notifier.status_due():
            self._notifier.status(f"{self._studio.told}; mode {self._mode}")

    def _mind(self, stream: Stream, trouble: AudioError) -> None:
        """Of a caller he himself is told; of another source whoever started the daemon is, in the end."""
        if isinstance(stream.source, Caller):
            logger.info("stream %s: %s", stream.name, trouble)
            stream.source.refuse(str(trouble))
        else:
            self._troubles.append(trouble)

    def _controlled(self) -> Told:
        """Do what was asked for from outside. A mode that is switched to is told by a `ready` of its own."""
        if self._controls.reload.is_set():
            self._controls.reload.clear()
            yield from self._reload()
        wanted = self._controls.switch.wanted
        if wanted != self._mode:
            logger.info("mode %s in place of %s", wanted, self._mode)
            self._mode = wanted
            yield from self._studio.switch(wanted)

    def _reload(self) -> Told:
        """Take up new settings, all or none."""
        self._notifier.reloading()
        try:
            wanted = self._reread()
            config = self._config.reloaded(wanted)
            StringDecoder(config.pipeline.string)  # may need what is not installed
            self._outlets.reconfigure(config.sinks, self._surroundings(config))
            if config.pipeline != self._config.pipeline:
                yield from self._studio.reconfigure(config.pipeline)
        except DigitdError as error:
            logger.error("not reloaded, the settings before stay: %s", error)
        else:
            for name in wanted.restarting(self._config):
                logger.warning("[%s] has changed, which takes a restart", name)
            if config.model.mode != self._config.model.mode:
                self._controls.switch.wanted = config.model.mode
            log.begin(config.log_level, config.log_format)
            logger.info("reloaded")
            self._config = config
        self._notifier.reloaded()

    def _log(self, stream: Stream, body: Body) -> None:
        """Tell the log of a source's troubles, and at level debug of digits where they are not secret."""
        if isinstance(body, SourceState):
            if body.state in ("lost", "stalled"):
                self._notifier.status(f"{body.state}: looking for {stream.ready.source}")
            level = logging.WARNING if body.state in ("silent", "clipping", "overrun") else logging.INFO
            logger.log(
                level, "source %s", body.state, extra={"fields": {"dropped_s": body.dropped_s, "at_s": body.at_s}}
            )
        elif isinstance(body, Digit) and not self._config.secret:
            fields = {"confidence": round(body.confidence, 3), "end_s": round(body.end_s, 2)}
            logger.debug("digit %s", body.digit, extra={"fields": fields})
