"""The daemon: opens everything in order, runs one stream to its end or to a signal, closes in reverse order."""

import logging
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Event as Flag
from types import FrameType

from digitd.daemon import bundle
from digitd.daemon.config import DaemonConfig
from digitd.daemon.errors import AudioError
from digitd.daemon.events import Body, Ready, Stamp, printable
from digitd.daemon.pipeline import Pipeline
from digitd.daemon.recogniser import Recogniser
from digitd.daemon.sinks.sink import ReaderGone, Sink, open_sink
from digitd.daemon.sources.source import Source, open_source

logger = logging.getLogger(__name__)


def serve(config: DaemonConfig) -> None:
    """Recognise until the source ends or SIGINT or SIGTERM comes; everything pending is published before the return.

    Raises:
        DigitdError: something cannot be opened, or the audio is damaged.
    """
    with ExitStack() as stack:
        stop = stack.enter_context(stopped_by_signals())
        recogniser = Recogniser(bundle.load(config.model.name), config.model.provider)
        rate_hz = recogniser.bundle.manifest.features.sample_rate_hz
        source = open_source(config.source, rate_hz)
        stack.callback(source.close)
        sinks = [_opened(spec, stop, stack) for spec in config.sinks]
        pipeline = Pipeline(recogniser, config.model.mode, source.rate_hz, config.pipeline)
        ready = Ready(
            recogniser.bundle.manifest.name, recogniser.provider, printable(config.source.spec), config.model.mode
        )
        _publish_all(_bodies(ready, source, pipeline, stop), Stamp(source.name), sinks)


def _opened(spec: str, stop: Flag, stack: ExitStack) -> Sink:
    sink = open_sink(spec, stop)
    stack.callback(sink.close)
    return sink


def _bodies(ready: Ready, source: Source, pipeline: Pipeline, stop: Flag) -> Iterator[Body]:
    """All bodies of the stream; what is pending comes even where the audio turns out to be damaged."""
    yield ready
    try:
        for block in source.blocks(stop):
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
def stopped_by_signals() -> Iterator[Flag]:
    """A flag that SIGINT and SIGTERM set."""
    stop = Flag()

    def on_signal(number: int, _frame: FrameType | None) -> None:
        logger.info("%s: stopping", signal.Signals(number).name)
        stop.set()

    before = {number: signal.signal(number, on_signal) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
