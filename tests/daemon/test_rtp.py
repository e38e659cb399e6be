"""RTP: packets taken apart, and put into order; what is missing is silence."""

import math
from dataclasses import replace

import numpy as np
import pytest
import soundfile
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.conftest import DEMO

from digitd.daemon.errors import AudioError
from digitd.daemon.telephone.g711 import RATE_HZ, Samples, decoded
from digitd.daemon.telephone.jitter_buffer import LATE_PIECES, LONGEST_GAP_SAMPLES, JitterBuffer, Piece
from digitd.daemon.telephone.rtp_packet import MAX_PAYLOAD_BYTES, Packet, leaving, packet

DEPTH_S = 0.06
PACKET_SAMPLES = 160
PACKET_S = PACKET_SAMPLES / RATE_HZ
BYE = bytes.fromhex("81cb0001 00000007")
REPORT = bytes.fromhex("80c90001 00000007")


def sent(n_packets: int, first_sequence: int = 0, first_timestamp: int = 0) -> list[Piece]:
    """A stream of packets, no sample of which is silent: each tells its place."""
    return [
        Piece(
            (first_sequence + n) & 0xFFFF,
            (first_timestamp + n * PACKET_SAMPLES) & 0xFFFFFFFF,
            np.arange(n * PACKET_SAMPLES + 1, (n + 1) * PACKET_SAMPLES + 1).astype(np.int16),
        )
        for n in range(n_packets)
    ]


def heard(arrivals: list[tuple[float, Piece]], buffer: JitterBuffer | None = None, until_s: float = 0.0) -> Samples:
    """What a buffer gives of packets that come at these times, looked at every 20 ms too."""
    buffer = buffer or JitterBuffer(DEPTH_S)
    arrivals = sorted(arrivals, key=lambda arrival: arrival[0])
    ticks = [PACKET_S * n for n in range(math.ceil(max(until_s, arrivals[-1][0]) / PACKET_S) + 1)]
    taken: list[Samples] = []
    for now_s, piece in sorted([*arrivals, *((tick_s, None) for tick_s in ticks)], key=lambda arrival: arrival[0]):
        if piece:
            buffer.push(piece, now_s)
        taken += buffer.pull(now_s)
    taken += buffer.finish()
    return np.concatenate([np.zeros(0, np.int16), *taken])


def whole(pieces: list[Piece]) -> Samples:
    return np.concatenate([piece.samples for piece in pieces])


def header(**values: int) -> bytes:
    """A packet's twelve bytes."""
    field = {"first": 0x80, "second": 0, "sequence": 1, "timestamp": 2, "ssrc": 3} | values
    return b"".join(field[name].to_bytes(size, "big") for name, size in zip(field, (1, 1, 2, 4, 4), strict=True))


@pytest.mark.parametrize(("payload_type", "subtype"), [(0, "ULAW"), (8, "ALAW")])
def test_sound_is_decoded_as_by_libsndfile(
    payload_type: int, subtype: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.mktemp("g711") / "coded.raw"
    soundfile.write(path, soundfile.read(DEMO)[0], RATE_HZ, subtype, format="RAW")
    expected = soundfile.read(path, dtype="int16", format="RAW", subtype=subtype, samplerate=RATE_HZ, channels=1)[0]
    assert len(np.unique(expected)) > 100
    np.testing.assert_array_equal(decoded(path.read_bytes(), payload_type), expected)


def test_a_packet_is_taken_apart() -> None:
    assert packet(header(second=0x88) + b"sound") == Packet(
        8, marker=True, sequence=1, timestamp=2, ssrc=3, payload=b"sound"
    )
    sources, extension, padding = bytes(8), bytes.fromhex("abcd0001 00000000"), b"\0\0\3"
    assert packet(header(first=0xB2) + sources + extension + b"sound" + padding).payload == b"sound"


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        header()[:-1],
        header(first=0x40) + b"sound",
        header(first=0x82) + bytes(7),
        header(first=0x90) + bytes(3),
        header(first=0x90) + bytes.fromhex("00000009") + bytes(8),
        header(first=0xA0) + b"\0",
        header(first=0xA0) + b"\2",
        header() + bytes(MAX_PAYLOAD_BYTES + 1),
    ],
)
def test_what_is_no_packet_is_refused(datagram: bytes) -> None:
    with pytest.raises(AudioError):
        packet(datagram)


@given(st.binary(max_size=60) | st.binary(max_size=60).map(lambda rest: b"\xb1" + rest))
def test_any_datagram_is_a_packet_or_refused(datagram: bytes) -> None:
    try:
        payload = packet(datagram).payload
    except AudioError:
        payload = b""
    assert payload in datagram
    assert len(leaving(datagram)) <= len(datagram) // 4


def test_who_leaves_is_told_within_other_reports() -> None:
    assert leaving(REPORT + BYE) == {7}
    assert leaving(REPORT) == leaving(BYE[:-1]) == leaving(b"") == set()


@given(st.lists(st.floats(0, DEPTH_S), min_size=2, max_size=60), st.integers(0, 0xFFFF), st.integers(0, 0xFFFFFFFF))
def test_any_order_within_the_depth_gives_the_same(delays_s: list[float], sequence: int, timestamp: int) -> None:
    pieces = sent(len(delays_s), sequence, timestamp)
    arrivals = [
        (n * PACKET_S + delay_s, piece) for n, (delay_s, piece) in enumerate(zip(delays_s, pieces, strict=True))
    ]
    np.testing.assert_array_equal(heard(arrivals), whole(pieces))


@given(st.data(), st.integers(4, 60), st.integers(0, 0xFFFFFFFF))
def test_what_is_lost_is_silence_of_its_length(data: st.DataObject, n_packets: int, timestamp: int) -> None:
    pieces = sent(n_packets, 65530, timestamp)
    lost = data.draw(st.sets(st.integers(2, n_packets - 2)))
    arrivals = [(n * PACKET_S, piece) for n, piece in enumerate(pieces) if n not in lost]
    expected = whole([replace(piece, samples=piece.samples * (n not in lost)) for n, piece in enumerate(pieces)])
    np.testing.assert_array_equal(heard(arrivals), expected)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.floats(0, 2), st.booleans()), min_size=2, max_size=120),
    st.integers(0, 0xFFFFFFFF),
)
def test_no_sample_is_ever_out_of_order_or_given_twice(come: list[tuple[int, float, bool]], timestamp: int) -> None:
    pieces = sent(41, 65500, timestamp)
    arrivals = [(at_s, replace(pieces[n], marker=marker)) for n, at_s, marker in come]
    sound = heard(arrivals)
    sound = sound[sound != 0].astype(np.int64)
    assert (np.diff(sound) > 0).all()


@given(st.lists(st.tuples(st.integers(), st.integers(), st.binary(max_size=400), st.floats(0, 0.1)), max_size=60))
@settings(max_examples=50)
def test_any_packets_give_no_more_than_time_and_they_hold(come: list[tuple[int, int, bytes, float]]) -> None:
    buffer, now_s, n_samples, n_pieces = JitterBuffer(DEPTH_S), 0.0, 0, 0
    for sequence, timestamp, payload, later_s in come:
        now_s, n_pieces = now_s + later_s, n_pieces + 1
        buffer.push(Piece(sequence & 0xFFFF, timestamp & 0xFFFFFFFF, decoded(payload, 0)), now_s)
        buffer = buffer.successor or buffer
        n_samples += sum(map(len, buffer.pull(now_s)))
    assert n_samples <= (n_pieces + 1) * LONGEST_GAP_SAMPLES + sum(len(payload) for _, _, payload, _ in come)


def test_sound_in_order_does_not_wait() -> None:
    buffer, pieces = JitterBuffer(DEPTH_S), sent(20)
    for n, piece in enumerate(pieces):
        buffer.push(piece, n * PACKET_S)
        given = buffer.pull(n * PACKET_S)
        if n * PACKET_S > DEPTH_S + PACKET_S:
            np.testing.assert_array_equal(np.concatenate(given), piece.samples)


def test_silence_comes_while_nothing_is_sent_and_time_stays_true() -> None:
    pieces = sent(100)
    silent = range(30, 80)
    arrivals = [(n * PACKET_S, piece) for n, piece in enumerate(pieces) if n not in silent]
    buffer, given = JitterBuffer(DEPTH_S), 0
    for at_s, piece in arrivals[:30]:
        buffer.push(piece, at_s)
        given += sum(map(len, buffer.pull(at_s)))
    given += sum(map(len, buffer.pull(60 * PACKET_S)))
    assert given / RATE_HZ == pytest.approx(60 * PACKET_S - DEPTH_S, abs=PACKET_S)
    sound = heard(arrivals)
    assert len(sound) == 100 * PACKET_SAMPLES
    assert not sound[30 * PACKET_SAMPLES : 80 * PACKET_SAMPLES].any()


def test_a_sender_whose_timestamps_rest_in_silence_loses_nothing() -> None:
    pieces = sent(40)
    pieces[20] = replace(pieces[20], marker=True)
    arrivals = [(n * PACKET_S + (n >= 20), piece) for n, piece in enumerate(pieces)]
    sound = heard(arrivals)
    np.testing.assert_array_equal(sound[sound != 0], whole(pieces))
    assert len(sound) / RATE_HZ == pytest.approx(40 * PACKET_S + 1 - DEPTH_S, abs=2 * PACKET_S)


@pytest.mark.parametrize(("longer_s", "n_lost"), [(0.1, 0), (0.8, 0), (2.0, LATE_PIECES)])
def test_a_way_that_becomes_longer_costs_little(longer_s: float, n_lost: int) -> None:
    pieces = sent(100)
    arrivals = [(n * PACKET_S + longer_s * (n >= 50), piece) for n, piece in enumerate(pieces)]
    sound = heard(arrivals)
    assert np.count_nonzero(sound) == (100 - n_lost) * PACKET_SAMPLES
    assert len(sound) / RATE_HZ == pytest.approx(2 + longer_s - DEPTH_S, abs=2 * PACKET_S)


def test_packets_in_bursts_are_waited_for_once_that_is_known() -> None:
    pieces = sent(300)
    sound = heard([((n // 12) * 12 * PACKET_S, piece) for n, piece in enumerate(pieces)])
    np.testing.assert_array_equal(sound[sound != 0], whole(pieces))
    assert (np.flatnonzero(sound == 0) < RATE_HZ).all()  # no silence but in the first second


def test_a_clock_that_is_slower_costs_nothing() -> None:
    n_packets, slower = 200 * 50, 1 + 500e-6  # over 200 s the sender falls 100 ms behind: more than the depth
    pieces = [replace(piece, samples=np.ones(PACKET_SAMPLES, np.int16)) for piece in sent(n_packets)]
    sound = heard([(n * PACKET_S * slower, piece) for n, piece in enumerate(pieces)])
    assert len(sound) == np.count_nonzero(sound) == n_packets * PACKET_SAMPLES


@pytest.mark.parametrize("leap", [-3 * LONGEST_GAP_SAMPLES, 2 * LONGEST_GAP_SAMPLES, 1 << 31])
def test_a_leap_begins_another_stream_and_a_stray_packet_does_not(leap: int) -> None:
    pieces, far = sent(60), sent(20, first_sequence=1000, first_timestamp=leap & 0xFFFFFFFF)
    first, second = JitterBuffer(DEPTH_S), JitterBuffer(DEPTH_S)
    stray = replace(far[0], sequence=50000)
    sound = heard([(n * PACKET_S, piece) for n, piece in enumerate(pieces)] + [(0.5, stray)], first)
    np.testing.assert_array_equal(sound, whole(pieces))
    for n, piece in enumerate(far[:2], 60):
        assert first.successor is None
        first.push(piece, n * PACKET_S)
    second = first.successor or second
    rest = heard([(n * PACKET_S, piece) for n, piece in enumerate(far[2:], 62)], second)
    np.testing.assert_array_equal(rest, whole(far))


def test_a_stray_packet_that_would_fit_into_a_gap_costs_nothing() -> None:
    pieces = sent(60)
    stray = Piece(9999, LONGEST_GAP_SAMPLES // 2, np.ones(PACKET_SAMPLES, np.int16))
    arrivals = [(n * PACKET_S, piece) for n, piece in enumerate(pieces)]
    np.testing.assert_array_equal(heard([*arrivals, (0.333, stray)]), whole(pieces))


def test_one_packet_is_no_stream() -> None:
    assert len(heard([(0.0, sent(1)[0])], until_s=2)) == 0
