"""The daemon: opens everything in order, runs one stream to its end or to a signal, closes in reverse order."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace

from digitd.daemon import activation, bundle, log
from digitd.daemon.audio import Block
from digitd.daemon.config import DaemonConfig
from digitd.daemon.controls import Controls, heeded
from digitd.daemon.errors import AudioError, DigitdError
from digitd.daemon.events import Body, Digit, Ready, SourceState, Stamp, printable
from digitd.daemon.listener import Network, open_network
from digitd.daemon.meter import Meter
from digitd.daemon.notify import Notifier
from digitd.daemon.outlets import Outlets
from digitd.daemon.pipeline import Pipeline
from digitd.daemon.sinks.sink import Surroundings
from digitd.daemon.sources.source import Interruption, Source, open_source

logger = logging.getLogger(__name__)

Reread = Callable[[], DaemonConfig]


def serve(config: DaemonConfig, reread: Reread | None = None) -> None:
    """Recognise until the source ends or SIGINT or SIGTERM comes; everything pending is published before the return.

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
        source = open_source(config.source, released.manifest.sample_rate_hz)  # a microphone opens in the meantime
        stack.callback(source.close)
        network = open_network(released, config.model.provider)
        Daemon(config, reread, controls, network, source, notifier, stack).run()
        notifier.stopping()


class Daemon:
    """One stream with all that is around it, open; `stack` closes it."""

    def __init__(
        self,
        config: DaemonConfig,
        reread: Reread | None,
        controls: Controls,
        network: Network,
        source: Source,
        notifier: Notifier,
        stack: ExitStack,
    ) -> None:
        self._config, self._controls = config, controls
        self._reread = reread or (lambda: config)
        self._source, self._notifier = source, notifier
        self._meter = Meter(config, network, source)
        stack.callback(self._meter.close)
        self._handed_over = activation.handed_over()
        self._outlets = Outlets(config.sinks, self._surroundings(config))
        stack.callback(self._outlets.close)
        self._meter.watch(self._outlets)
        self._pipeline = Pipeline(network, config.model.mode, source.rate_hz, config.pipeline)
        self._stream = printable(source.name)
        self._stamp = Stamp(source.name)
        self._ready = Ready(
            network.bundle.manifest.name, network.provider, printable(config.source.spec), config.model.mode
        )
        self._captured_s = time.monotonic()

    def _surroundings(self, config: DaemonConfig) -> Surroundings:
        return Surroundings(
            stop=self._controls.stop,
            switch=self._controls.switch,
            live=self._source.live,
            secret=config.secret,
            socket_config=config.socket,
            hook_config=config.hook,
            handed_over=self._handed_over,
            count_dropped=self._meter.drop,
        )

    def run(self) -> None:
        """Publish the stream to its end; it ends early where no sink has a reader any more."""
        for body in self._bodies():
            self._outlets.publish(self._stamp.event(body))
            self._meter.hear(body, time.monotonic() - self._captured_s)
            self._log(body)
            if not self._outlets.sinks:
                return

    def _bodies(self) -> Iterator[Body]:
        """All bodies of the stream; what is pending comes even where the audio turns out to be damaged."""
        yield self._ready
        try:
            for heard in self._source.blocks(self._controls.stop):
                yield from self._controlled()
                if isinstance(heard, Interruption):
                    self._notifier.status(f"{heard.state}: looking for {self._config.source.spec}")
                    yield from self._pipeline.interrupt(heard.state)
                elif len(heard.frames):
                    yield from self._hear(heard)
        except AudioError:
            yield from self._pipeline.finish()
            raise
        yield from self._pipeline.finish()

    def _hear(self, block: Block) -> Iterator[Body]:
        self._captured_s = block.captured_s or time.monotonic()
        self._pipeline.watched = self._outlets.watched
        yield from self._pipeline.push(block)
        if glimpse := self._pipeline.glimpse():
            self._outlets.show(glimpse.to_json(self._stream))
        self._notifier.hear()
        self._meter.take_in(len(block.frames) / self._source.rate_hz)
        if self._notifier.status_due():
            self._notifier.status(
                f"hears {self._ready.source}, loudest {self._pipeline.loudest_dbfs():.0f} dBFS; mode {self._ready.mode}"
            )

    def _controlled(self) -> Iterator[Body]:
        """Do what was asked for from outside. A mode that is switched to is told by a `ready` of its own."""
        if self._controls.reload.is_set():
            self._controls.reload.clear()
            yield from self._reload()
        wanted = self._controls.switch.wanted
        if wanted != self._ready.mode:
            logger.info("mode %s in place of %s", wanted, self._ready.mode)
            self._pipeline.switch(wanted)
            self._ready = replace(self._ready, mode=wanted)
            yield self._ready

    def _reload(self) -> Iterator[Body]:
        """Take up new settings, all or none."""
        self._notifier.reloading()
        try:
            wanted = self._reread()
            config = self._config.reloaded(wanted)
            self._pipeline.check(config.pipeline)
            self._outlets.reconfigure(config.sinks, self._surroundings(config))
            if config.pipeline != self._config.pipeline:
                yield from self._pipeline.reconfigure(config.pipeline)
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

    def _log(self, body: Body) -> None:
        """Tell the log of the source's troubles, and at level debug of digits where they are not secret."""
        if isinstance(body, SourceState):
            level = logging.WARNING if body.state in ("silent", "clipping", "overrun") else logging.INFO
            logger.log(
                level, "source %s", body.state, extra={"fields": {"dropped_s": body.dropped_s, "at_s": body.at_s}}
            )
        elif isinstance(body, Digit) and not self._config.secret:
            fields = {"confidence": round(body.confidence, 3), "end_s": round(body.end_s, 2)}
            logger.debug("digit %s", body.digit, extra={"fields": fields})
