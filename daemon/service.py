"""The daemon: opens everything in order, runs one stream to its end or to a signal, closes in reverse order."""

import logging
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from threading import Event as Flag
from types import FrameType

from digitd.daemon import bundle
from digitd.daemon.config import DaemonConfig
from digitd.daemon.errors import AudioError
from digitd.daemon.events import Body, Ready, Stamp, printable
from digitd.daemon.listener import open_network
from digitd.daemon.mode_switch import ModeSwitch
from digitd.daemon.pipeline import Pipeline
from digitd.daemon.sinks.sink import ReaderGone, Sink, open_sink
from digitd.daemon.sources.source import Source, open_source

logger = logging.getLogger(__name__)


def serve(config: DaemonConfig) -> None:
    """Recognise until the source ends or SIGINT or SIGTERM comes; everything pending is published before the return.

    SIGUSR1 and the readers of a socket switch its mode.

    Raises:
        DigitdError: something cannot be opened, or the audio is damaged.
    """
    with ExitStack() as stack:
        switch = ModeSwitch(config.model.mode)
        stop = stack.enter_context(heeding_signals(switch))
        network = open_network(bundle.load(config.model.name), config.model.provider)
        rate_hz = network.bundle.manifest.sample_rate_hz
        source = open_source(config.source, rate_hz)
        stack.callback(source.close)
        sinks = [_opened(spec, stop, switch, stack) for spec in config.sinks]
        pipeline = Pipeline(network, config.model.mode, source.rate_hz, config.pipeline)
        ready = Ready(network.bundle.manifest.name, network.provider, printable(config.source.spec), config.model.mode)
        _publish_all(_bodies(ready, source, pipeline, switch, stop), Stamp(source.name), sinks)


def _opened(spec: str, stop: Flag, switch: ModeSwitch, stack: ExitStack) -> Sink:
    sink = open_sink(spec, stop, switch)
    stack.callback(sink.close)
    return sink


def _bodies(ready: Ready, source: Source, pipeline: Pipeline, switch: ModeSwitch, stop: Flag) -> Iterator[Body]:
    """All bodies of the stream; what is pending comes even where the audio turns out to be damaged.

    A mode that is switched to is told by a `ready` of its own.
    """
    yield ready
    try:
        for block in source.blocks(stop):
            wanted = switch.wanted
            if wanted != ready.mode:
                logger.info("mode %s in place of %s", wanted, ready.mode)
                pipeline.switch(wanted)
                ready = replace(ready, mode=wanted)
                yield ready
            yield from pipeline.push(block)
    except AudioError:
        yield from pipeline.finish()
        raise
    yield from pipeline.finish()


def _publish_all(bodies: Iterator[Body], stamp: Stamp, sinks: list[Sink]) -> None:
    """Hand every body to every sink that still has a reader; ends early when none has."""
    for body in bodies:
        event = stamp.event(body)
        for sink in list(sinks):
            try:
                sink.publish(event)
            except ReaderGone:
                logger.info("the reader of standard output has left")
                sinks.remove(sink)
        if not sinks:
            return


@contextmanager
def heeding_signals(switch: ModeSwitch) -> Iterator[Flag]:
    """A flag that SIGINT and SIGTERM set; SIGUSR1 toggles `switch`."""
    stop = Flag()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        logger.info("%s: stopping", signal.Signals(number).name)
        stop.set()

    def on_toggle(_number: int, _frame: FrameType | None) -> None:
        switch.toggle()

    handlers = {signal.SIGINT: on_signal, signal.SIGTERM: on_signal, signal.SIGUSR1: on_toggle}
    before = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
