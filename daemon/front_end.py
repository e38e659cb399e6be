"""Chunks -> utterances: the speech detector and the segmenter in one."""

from collections.abc import Iterator

from digitd.daemon.audio import Chunk
from digitd.daemon.glimpse import Lookout
from digitd.daemon.segmenter import Segmenter, SegmenterConfig, Utterance
from digitd.daemon.vad import FrameVad


class FrontEnd:
    """Chunks -> utterances: what the daemon and the trainer both hear with."""

    def __init__(self, rate_hz: int, config: SegmenterConfig) -> None:
        self._vad = FrameVad(rate_hz, config.vad_mode)
        self._segmenter = Segmenter(config)
        self.lookout: Lookout | None = None
        """Shown every frame, where somebody looks on."""

    @property
    def quiet_until_sample(self) -> int:
        """Where the open utterance, or what may become one, begins; else how far the stream was heard."""
        return self._segmenter.quiet_until_sample

    def push(self, chunk: Chunk) -> Iterator[Utterance]:
        """Utterances that end within `chunk`."""
        for frame in self._vad.push(chunk):
            if self.lookout:
                self.lookout.hear(frame)
            yield from self._segmenter.push(frame)

    def finish(self) -> Iterator[Utterance]:
        """The utterance that is open at the end of the stream."""
        for frame in self._vad.finish():
            yield from self._segmenter.push(frame)
        yield from self._segmenter.finish()
