"""Speaking into the server: from samples to events, and what is not samples."""

import json
import time
from collections.abc import Iterator
from contextlib import suppress

import numpy as np
import pytest
import soxr
from tests.conftest import DEMO_DIGITS
from tests.daemon.web_server import WITHIN_S, Web, digits, pcm16, say, told
from websockets.exceptions import ConnectionClosed

from digitd.daemon import bundle
from digitd.daemon.audio import Block, Samples, from_pcm16
from digitd.daemon.events import Ready, Stamp
from digitd.daemon.listener import open_network
from digitd.daemon.pipeline import Pipeline, PipelineConfig
from digitd.models import DEFAULT_MODEL

END = json.dumps({"end": True})
PLACES = 2


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    server = Web("--no-live", "--speakers", str(PLACES))
    yield server
    server.close()


def test_what_is_spoken_gives_the_events_of_a_pipeline(web: Web, demo: Samples) -> None:
    raw = pcm16(demo)
    with web.speaking() as client:
        say(client, raw, 640)
        client.send(END)
        events = told(client)
    assert digits(events) == DEMO_DIGITS
    network = open_network(bundle.load(DEFAULT_MODEL), "cpu")
    pipeline, stamp = Pipeline(network, "entry", 16000, PipelineConfig()), Stamp("browser")
    stamp.event(Ready("", "", "", ""))
    block = Block(from_pcm16(raw, 1))
    expected = [json.loads(stamp.event(body).to_json()) for body in [*pipeline.push(block), *pipeline.finish()]]
    assert events == [{name: value for name, value in event.items() if name != "time"} for event in expected]
    assert (client.close_code, client.close_reason) == (1000, "the end")


@pytest.mark.parametrize("sample_format", ["s16le", "f32le"])
def test_any_pieces_give_the_same_events(web: Web, demo: Samples, sample_format: str) -> None:
    raw = pcm16(demo)[: 2 * 40000]
    if sample_format == "f32le":
        raw = (np.frombuffer(raw, "<i2") / np.float32(32768)).astype("<f4").tobytes()
    found = []
    for piece_bytes in (640, 37, 200_000):
        with web.speaking(format=sample_format) as client:
            say(client, raw, piece_bytes)
            client.send(END)
            found.append(told(client))
    assert digits(found[0]) == "314"
    assert found[1] == found[0]
    assert found[2] == found[0]


@pytest.mark.parametrize("rate_hz", [8000, 11025, 44100, 48000, 96000])
def test_any_rate_gives_the_same_digits(web: Web, demo: Samples, rate_hz: int) -> None:
    with web.speaking(rate_hz=rate_hz) as client:
        say(client, pcm16(0.9 * soxr.resample(demo, 16000, rate_hz)), 4096)
        client.send(END)
        assert digits(told(client)) == DEMO_DIGITS


def test_somebody_who_speaks_sees_what_is_heard(web: Web, demo: Samples) -> None:
    with web.speaking() as client:
        say(client, pcm16(demo[:20000]), 640)
        client.send(END)
        events = [json.loads(line) for line in client]
    glimpses = [event for event in events if event["type"] == "glimpse"]
    assert 6 <= len(glimpses) <= 12
    assert 105 <= sum(len(glimpse["mel"]) for glimpse in glimpses) <= 125
    assert max(glimpse["posteriors"].get("3", 0) for glimpse in glimpses) > 0.3


def test_the_mode_is_switched_while_somebody_speaks(web: Web) -> None:
    with web.speaking(mode="always") as client:
        client.send(json.dumps({"mode": "entry"}))
        ready = json.loads(client.recv(WITHIN_S))
    assert (ready["type"], ready["mode"], ready["seq"]) == ("ready", "entry", 1)


def test_what_was_lost_is_a_gap(web: Web, demo: Samples) -> None:
    with web.speaking() as client:
        client.send(pcm16(demo[:8000]))
        client.send(json.dumps({"lost_s": 1.5}))
        client.send(pcm16(demo[:8000]))
        client.send(END)
        source = next(event for event in told(client) if event["type"] == "source")
    assert (source["state"], source["dropped_s"], source["at_s"]) == ("overrun", 1.5, 2.0)


NO_OPENING = [
    "hello",
    "",
    "[]",
    "[" * 100_000,
    b"\x00\x01" * 800,
    "{}",
    '{"rate_hz": 7999}',
    '{"rate_hz": 96001}',
    '{"rate_hz": NaN}',
    '{"rate_hz": 48000, "format": "mp3"}',
    '{"rate_hz": 48000, "rate": 1}',
    '{"rate_hz": 48000, "mode": "loud"}',
]


@pytest.mark.parametrize("first", NO_OPENING, ids=lambda first: repr(first[:30]))
def test_a_wrong_first_message_closes_that_connection_alone(web: Web, demo: Samples, first: str | bytes) -> None:
    with web.speaking() as other:
        with web.socket() as client:
            client.send(first)
            events = told(client)
        assert client.close_code == 1008
        assert [event["type"] for event in events] == ["error"]
        assert client.close_reason
        assert events[0]["message"].startswith(client.close_reason)
        say(other, pcm16(demo[:16000]), 640)
        other.send(END)
        assert digits(told(other)) == DEMO_DIGITS[0]


@pytest.mark.parametrize("message", ["hello", "{}", '{"mode": "loud"}', '{"lost_s": -1}', '{"lost_s": 1e9}'])
def test_text_that_tells_nothing_closes_the_connection(web: Web, message: str) -> None:
    with web.speaking() as client:
        client.send(message)
        assert [event["type"] for event in told(client)] == ["error"]
    assert client.close_code == 1008


@pytest.mark.parametrize("poison", [np.nan, np.inf, -np.inf, 1e30])
def test_what_is_no_sample_ends_the_stream_and_what_came_before_counts(web: Web, demo: Samples, poison: float) -> None:
    raw = demo.copy()
    raw[20000] = poison
    with web.speaking(format="f32le") as client:
        client.send(raw[:40000].astype("<f4").tobytes())
        events = told(client)
    assert digits(events) == DEMO_DIGITS[0]
    assert [event["type"] for event in events[-2:]] == ["end", "error"]
    assert "1.250 s" in events[-1]["message"]
    assert client.close_code == 1007


def test_a_sample_that_is_cut_by_the_end_is_told(web: Web) -> None:
    with web.speaking() as client:
        client.send(b"\x00\x00\x00")
        client.send(END)
        assert told(client)[-1]["message"].startswith("the last sample has 1 of 2 bytes")
    assert client.close_code == 1007


def test_a_giant_frame_closes_the_connection(web: Web) -> None:
    with web.speaking() as client:
        with suppress(ConnectionClosed):  # while it is still being sent, maybe
            client.send(bytes(1024 * 1024))
        assert told(client) == []
    assert client.close_code == 1009


def test_one_too_many_is_told_to_come_back_and_a_place_that_is_left_is_free(web: Web, demo: Samples) -> None:
    with web.speaking(), web.speaking() as leaving:
        with web.socket() as client:
            assert told(client)[0]["message"].startswith(f"{PLACES} are speaking already")
        assert client.close_code == 1013
        leaving.send(pcm16(demo[:12000]))
        leaving.socket.close()  # in the middle of a word, without a farewell
        until_s = time.monotonic() + WITHIN_S
        while True:
            with web.socket() as client:
                with suppress(ConnectionClosed):  # it may be turned away before it has said anything
                    client.send(json.dumps({"rate_hz": 16000}))
                if json.loads(client.recv(WITHIN_S))["type"] == "ready":
                    break
            assert time.monotonic() < until_s
