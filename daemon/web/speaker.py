"""One speaker: his samples through a pipeline of their own, as the lines of a daemon's socket."""

from collections.abc import Iterable

from digitd.daemon.audio import Block
from digitd.daemon.errors import AudioError
from digitd.daemon.events import Body, Ready, Stamp
from digitd.daemon.listener import Network
from digitd.daemon.mode import Mode
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.web.microphone import Opening, Wire

STREAM = "browser"


class Speaker:
    """Hears one stream; of what its events hold, nothing is kept or logged.

    Args:
        mode: to begin with, where he asks for none.
    """

    def __init__(self, network: Network, config: PipelineConfig, mode: Mode, opening: Opening) -> None:
        self._network = network
        self._mode = opening.mode or mode
        self._rate_hz = opening.rate_hz
        self._wire = Wire(opening.format)
        self._pipeline = Pipeline(network, self._mode, opening.rate_hz, config)
        self._pipeline.watched = True
        self._stamp = Stamp(STREAM)
        self._lost_frames = 0

    def ready(self) -> str:
        """The line that tells what hears him."""
        name = self._network.bundle.manifest.name
        return self._line(Ready(name, self._network.provider, STREAM, self._mode))

    def switch(self, mode: Mode) -> str:
        """Go by `mode` from here on; the line that tells it."""
        self._mode = mode
        self._pipeline.switch(mode)
        return self.ready()

    def lose(self, lost_s: float) -> None:
        """Something is missing before what comes next."""
        self._lost_frames += round(lost_s * self._rate_hz)

    def hear(self, raw: bytes) -> tuple[list[str], AudioError | None]:
        """The lines that samples bring, and why nothing can come after them, if so."""
        frames = self._wire.frames(raw)
        if not len(frames):
            return [], None
        block, self._lost_frames = Block(frames, self._lost_frames), 0
        lines: list[str] = []
        try:
            for body in self._pipeline.push(block):
                lines.append(self._line(body))  # noqa: PERF401 - those before a sample that is none count too
        except AudioError as error:
            return lines + self._lines(self._pipeline.finish()), error
        if glimpse := self._pipeline.glimpse():
            lines.append(glimpse.to_json(STREAM))
        return lines, None

    def finish(self) -> tuple[list[str], AudioError | None]:
        """The lines of all that is pending, and what was wrong with the end, if anything."""
        lines = self._lines(self._pipeline.finish())
        try:
            self._wire.finish()
        except AudioError as error:
            return lines, error
        return lines, None

    def _lines(self, bodies: Iterable[Body]) -> list[str]:
        return [self._line(body) for body in bodies]

    def _line(self, body: Body) -> str:
        return self._stamp.event(body).to_json()
