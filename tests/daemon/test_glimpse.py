"""Who looks on sees what is heard, and changes nothing of it."""

import select
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.alike import alike
from tests.conftest import DEMO_DIGITS
from tests.daemon.conftest import Daemon

from digitd.daemon.audio import Block, Samples
from digitd.daemon.bundle import load
from digitd.daemon.events import Body, Digit, String
from digitd.daemon.glimpse import BRIGHTEST, EVERY_S, Glimpse
from digitd.daemon.listener import Network, open_network
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.daemon.received import NO_SEQ, received
from digitd.daemon.spotter import Spotter
from digitd.daemon.stream_features import MelStream
from digitd.daemon.stream_listener import QUIET_BATCH_S

RATE_HZ = 16000
BLOCK_SAMPLES = RATE_HZ // 50


def blocks(samples: Samples) -> Iterator[Block]:
    for begin in range(0, len(samples), BLOCK_SAMPLES):
        yield Block(samples[begin : begin + BLOCK_SAMPLES, np.newaxis])


def seen(network: Network, samples: Samples, *, watched: bool = True) -> tuple[list[Body], list[Glimpse]]:
    pipeline = Pipeline(network, "entry", RATE_HZ, PipelineConfig())
    pipeline.watched = watched
    bodies: list[Body] = []
    glimpses = []
    for block in blocks(samples):
        bodies += pipeline.push(block)
        if glimpse := pipeline.glimpse():
            glimpses.append(glimpse)
    return [*bodies, *pipeline.finish()], glimpses


def test_who_looks_on_changes_no_event_but_is_shown_quiet_sooner(spotter: Spotter, demo: Samples) -> None:
    quiet = np.concatenate([demo, np.zeros(3 * RATE_HZ, np.float32), demo])
    (watched, _), (alone, nothing) = seen(spotter, quiet), seen(spotter, quiet, watched=False)
    assert not nothing
    assert len(watched) == len(alone)
    for one, other in zip(watched, alone, strict=True):
        if isinstance(one, String) and isinstance(other, String):
            assert 0 <= other.emitted_s - one.emitted_s <= QUIET_BATCH_S
            other = replace(other, emitted_s=one.emitted_s)
        assert alike(one, other)


def test_every_mel_frame_is_shown_once(spotter: Spotter, demo: Samples) -> None:
    shown = [frame for glimpse in seen(spotter, demo)[1] for frame in glimpse.mel]
    frames = MelStream(spotter.spec).push(demo)
    assert 0 <= len(frames) - len(shown) < 30
    assert {len(frame) for frame in shown} == {spotter.spec.n_mels}
    assert np.corrcoef(np.sqrt(np.clip(frames[: len(shown)], 0, 2.5)).ravel(), np.ravel(shown))[0, 1] > 0.999
    assert max(map(max, shown)) == BRIGHTEST


def test_the_posteriors_lead_to_the_digits(spotter: Spotter, demo: Samples) -> None:
    bodies, glimpses = seen(spotter, demo)
    for digit in (body for body in bodies if isinstance(body, Digit)):
        near = [dict(glimpse.posteriors) for glimpse in glimpses if abs(glimpse.at_s - digit.emitted_s) <= 2 * EVERY_S]
        assert max(shares[digit.digit] for shares in near) > 0.5


def test_a_network_of_whole_utterances_shows_them_when_they_are_over(demo: Samples) -> None:
    network = open_network(load("study64"), "cpu")
    bodies, glimpses = seen(network, demo)
    assert bodies == seen(network, demo, watched=False)[0]
    with_picture = [glimpse for glimpse in glimpses if glimpse.mel]
    assert 0 < len(with_picture) <= len(DEMO_DIGITS)
    assert all(glimpse.posteriors for glimpse in with_picture)


def test_level_noise_speech_and_clipping(spotter: Spotter) -> None:
    generator = np.random.default_rng(1)
    hiss = (generator.standard_normal(3 * RATE_HZ) * 10 ** (-50 / 20)).astype(np.float32)
    loud = np.clip(np.sin(np.arange(RATE_HZ) * 0.2) * 3, -1, 1).astype(np.float32)
    glimpses = seen(spotter, np.concatenate([hiss, loud]))[1]
    before = [glimpse for glimpse in glimpses if glimpse.at_s < 2.9]
    assert all(abs(glimpse.level_dbfs + 50) < 2 for glimpse in before[1:])
    assert not any(glimpse.clipping for glimpse in before)
    assert glimpses[-1].clipping
    assert glimpses[-1].level_dbfs > -2
    assert abs(glimpses[-1].floor_dbfs + 50) < 2


@pytest.fixture
def daemon(tmp_path: Path) -> Iterator[Daemon]:
    running = Daemon("--sink", f"unix:{tmp_path / 's'}")
    running.until(type="ready")
    yield running
    running.close()


def feed_until(daemon: Daemon, wanted: bytes, lines: socket.SocketIO) -> None:
    """A request is heeded with the audio that comes after it, whenever it has been read."""
    while True:
        daemon.feed(np.zeros(RATE_HZ // 5, np.float32))
        while select.select([lines], [], [], 0.05)[0]:
            if wanted in next(lines):
                return


def test_a_reader_of_the_socket_that_asks_is_shown_glimpses_until_it_asks_for_none(
    daemon: Daemon, tmp_path: Path, demo: Samples
) -> None:
    with socket.socket(socket.AF_UNIX) as looking, socket.socket(socket.AF_UNIX) as reading:
        for client in (looking, reading):
            client.settimeout(20)
            client.connect(str(tmp_path / "s"))
        looking.sendall(b'{"glimpses":true}\n{"mode":"entry"}\n')
        lines = looking.makefile("rb", buffering=0)
        feed_until(daemon, b'"mode":"entry"', lines)
        daemon.feed(demo)
        seqs: dict[str, int] = {}
        while not seqs.keys() >= {"glimpse", "digit"}:  # or the socket's time-out
            event = received(next(lines))
            seqs[event.type] = event.seq
        assert seqs["glimpse"] == NO_SEQ
        assert seqs["digit"] > 0
        looking.sendall(b'{"glimpses":false}\n{"mode":"always"}\n')
        feed_until(daemon, b'"mode":"always"', lines)
        daemon.feed(np.zeros(RATE_HZ, np.float32))
        daemon.process.terminate()
        assert "glimpse" not in {received(line).type for line in lines}
        assert "glimpse" not in {received(line).type for line in reading.makefile("rb")}
