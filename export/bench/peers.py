"""digitd beside pocketsphinx with a digit grammar: the same sound, one process, one thread, one core."""

import itertools
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from typing import Any, get_args

from digitd.daemon import bundle
from digitd.daemon.audio import Block, from_pcm16
from digitd.daemon.events import Digit
from digitd.daemon.listener import Network, open_network
from digitd.daemon.mode import Mode
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.sources.capture import CHUNK_MS
from digitd.export.bench import endpoints
from digitd.export.bench.machine import pinned
from digitd.export.bench.part import Part
from digitd.export.bench.plan import Plan
from digitd.export.bench.scoring import Heard, pcm16, shown
from digitd.export.bench.spread import Spread
from digitd.export.bench.takes import RATE_HZ, Takes
from digitd.trainer.compose import Stream
from digitd.trainer.corpora.recording import DIGIT_WORDS, digit_or_word

GRAMMAR = f"""#JSGF V1.0;
grammar digits;
<digit> = {" | ".join([*DIGIT_WORDS, "oh"])};
public <digits> = <digit>+;
"""
FILE_CHUNK_MS = 1000
FRAMES_PER_S = 100
"""Of pocketsphinx's acoustic model."""

COLUMNS = (
    "what", "ms a second of phrases", "ms a second of single digits", "phrases right", "single right", "latency p50 s",
    "latency p95 s",
)  # fmt: skip
NOTES = (
    "Phrases: five digits in a breath, then a second of silence. Single: digits 0.5-1.2 s apart.",
    f"digitd hears pieces of {CHUNK_MS} ms, as a microphone gives them, pocketsphinx frames of its endpointer, 30 ms.",
    "Both hear all; pocketsphinx decodes what its endpointer lets through, in a time that grows with its square.",
    "Latency: from the end of a word (energy within 35 dB of its peak) to the sound taken in when its text was there.",
    "An endpoint rule tells no digits. Its latency is what it adds before a recogniser that waits for it may begin.",
    "Its right ones are the words that it ended before the next one began.",
)

Listener = Callable[[bytes], Iterator[Digit]]
"""The digits of s16le at RATE_HZ, heard as if it came live."""


def digitd(network: Network, mode: Mode, push_ms: int) -> Listener:
    """By so much at a time, as from a microphone or from a file; its events are the same."""

    def digits(pcm: bytes) -> Iterator[Digit]:
        pipeline = Pipeline(network, mode, RATE_HZ, PipelineConfig())
        length = 2 * RATE_HZ * push_ms // 1000
        for begin in range(0, len(pcm), length):
            bodies = pipeline.push(Block(from_pcm16(pcm[begin : begin + length], 1)))
            yield from (body for body in bodies if isinstance(body, Digit))
        yield from (body for body in pipeline.finish() if isinstance(body, Digit))

    return digits


def pocketsphinx(*, partial: bool) -> Listener:
    """Its endpointer with defaults, and its decoder within what that takes for speech.

    Args:
        partial: the text is asked for after every frame, and a word came when it stood there first and stayed; else it
            came with the end of the speech, when it is final.
    """
    import pocketsphinx

    decoder = pocketsphinx.Decoder(lm=None, loglevel="FATAL")
    decoder.add_jsgf_string("digits", GRAMMAR)
    decoder.activate_search("digits")

    def digits(pcm: bytes) -> Iterator[Digit]:
        endpointer, open_utterance = pocketsphinx.Endpointer(sample_rate=RATE_HZ), None
        length = endpointer.frame_bytes
        whole = len(pcm) - len(pcm) % length
        for begin in range(0, whole, length):
            speech = endpointer.process(pcm[begin : begin + length])
            if speech is None:
                continue
            taken_in_s = (begin + length) / 2 / RATE_HZ
            if open_utterance is None:
                open_utterance = _Utterance(decoder, endpointer.speech_start)
            open_utterance.push(speech, taken_in_s if partial else None)
            if not endpointer.in_speech:
                yield from open_utterance.finish(taken_in_s)
                open_utterance = None
        if open_utterance is not None:
            yield from open_utterance.finish(whole / 2 / RATE_HZ)

    return digits


class _Utterance:
    """What pocketsphinx's endpointer takes for speech, once through its decoder."""

    def __init__(self, decoder: Any, start_s: float) -> None:
        self._decoder, self._start_s = decoder, start_s
        self._since_s: list[tuple[str, float]] = []  # the words of the partial text, each since when it stands there
        decoder.start_utt()

    def push(self, speech: bytes, taken_in_s: float | None) -> None:
        """The next samples, and when they came, where partial texts are asked for."""
        self._decoder.process_raw(speech)
        if taken_in_s is None:
            return
        found = self._decoder.hyp()
        words = found.hypstr.split() if found else []
        pairs = zip(self._since_s, words, strict=False)
        same = sum(1 for _ in itertools.takewhile(lambda pair: pair[0][0] == pair[1], pairs))
        self._since_s = self._since_s[:same] + [(word, taken_in_s) for word in words[same:]]

    def finish(self, taken_in_s: float) -> Iterator[Digit]:
        """The digits of the final text, and where they lie."""
        self._decoder.end_utt()
        if not self._decoder.hyp():
            return
        segments = [each for each in self._decoder.seg() if each.word.partition("(")[0].isalpha()]
        for n, segment in enumerate(segments):
            word = segment.word.partition("(")[0]
            known = self._since_s[n][1] if n < len(self._since_s) and self._since_s[n][0] == word else taken_in_s
            start_s = self._start_s + segment.start_frame / FRAMES_PER_S
            end_s = self._start_s + (segment.end_frame + 1) / FRAMES_PER_S
            yield Digit(digit_or_word(word), 1.0, start_s, end_s, known)


def heard(listener: Listener, stream: Stream) -> Heard:
    """What a recogniser makes of a stream."""
    pcm = pcm16(stream.samples)
    began_s = time.process_time()
    digits = tuple(listener(pcm))
    return Heard(digits, time.process_time() - began_s)


def measure(plan: Plan, takes: Takes) -> Part:
    """Both modes, pocketsphinx in both ways, and the endpoint rules that others put before a recogniser."""
    with pinned(plan.core):
        network = open_network(bundle.load(plan.model), "cpu")
        listeners = {f"digitd, {mode}": digitd(network, mode, CHUNK_MS) for mode in get_args(Mode)}
        listeners["digitd, always, from a file"] = digitd(network, "always", FILE_CHUNK_MS)
        notes = []
        if find_spec("pocketsphinx"):
            listeners["pocketsphinx, final text"] = pocketsphinx(partial=False)
            listeners["pocketsphinx, partial text"] = pocketsphinx(partial=True)
        else:
            notes.append("pocketsphinx is not installed: pip install 'digitd[train]'.")
        found = {name: _row(plan, listener, takes) for name, listener in listeners.items()}
        ends, missing = endpoints.measured(plan, takes)
    figures = found | ends
    rows = tuple(
        (name, *_spreads(each), _right(each.get("score_phrases")), *shown(each["score"]))
        for name, each in figures.items()
    )
    return Part(
        "Beside others: one process, one thread, the same sound",
        COLUMNS,
        rows,
        figures,
        (*NOTES, f"Processor time is the median of {plan.runs} runs.", *notes, *missing),
    )


def _row(plan: Plan, listener: Listener, takes: Takes) -> dict[str, Any]:
    phrases = [heard(listener, takes.phrases) for _ in range(plan.runs)]
    single = [heard(listener, takes.isolated) for _ in range(plan.runs)]
    return {
        "ms_per_audio_s": Spread.of(1000 * run.cpu_s / takes.phrases.length_s for run in phrases).table(),
        "ms_per_audio_s_single": Spread.of(1000 * run.cpu_s / takes.isolated.length_s for run in single).table(),
        "score_phrases": phrases[-1].score(takes.phrases),
        "score": single[-1].score(takes.isolated),
    }


def _spreads(row: dict[str, Any]) -> tuple[str, str]:
    texts = [Spread(**row[key]).text() for key in ("ms_per_audio_s", "ms_per_audio_s_single")]
    return texts[0], texts[1]


def _right(score: dict[str, Any] | None) -> str:
    return f"{score['right']} of {score['words']}" if score else "-"
