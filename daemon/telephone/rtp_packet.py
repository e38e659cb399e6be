"""A datagram of RTP, taken apart (RFC 3550, 5.1), and what RTCP tells of who has left (6.6)."""

import struct
from dataclasses import dataclass
from itertools import islice

from digitd.daemon.errors import AudioError

COMFORT_NOISE = 13
"""The payload type of RFC 3389: silence begins, and sounds like this."""
FIRST_DYNAMIC = 96
"""Payload types from here on mean what the signalling has agreed on."""
MAX_PAYLOAD_BYTES = 4000
"""Half a second of G.711; packets of telephones have 10 to 60 ms."""
RTCP_TYPES = range(192, 224)
"""Second byte of RTCP, where it shares RTP's port (RFC 5761, 4)."""
BYE = 203

_VERSION = 2
_HEADER = struct.Struct(">BBHII")
_EXTENSION = struct.Struct(">HH")
_RTCP_HEADER = struct.Struct(">BBH")


@dataclass(frozen=True)
class Packet:
    """A piece of one speaker's sound."""

    payload_type: int
    marker: bool
    """Sound begins again after silence."""
    sequence: int
    """Counts packets, modulo 2^16."""
    timestamp: int
    """Counts samples, modulo 2^32: where the first of these lies."""
    ssrc: int
    """Who speaks, by a number at random."""
    payload: bytes


def packet(datagram: bytes) -> Packet:
    """The packet of a datagram.

    Raises:
        AudioError: it is none.
    """
    if len(datagram) < _HEADER.size:
        raise AudioError(f"{len(datagram)} bytes are too few for RTP")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(datagram)
    if first >> 6 != _VERSION:
        raise AudioError(f"version {first >> 6} is not RTP's")
    begin, end = _HEADER.size + 4 * (first & 0x0F), len(datagram)
    if first & 0x10:
        begin += _extension_bytes(datagram, begin)
    if first & 0x20:
        end -= _padding_bytes(datagram)
    if not begin <= end <= begin + MAX_PAYLOAD_BYTES:
        raise AudioError(f"a payload of {end - begin} bytes; it must have 0 to {MAX_PAYLOAD_BYTES}")
    return Packet(second & 0x7F, bool(second & 0x80), sequence, timestamp, ssrc, datagram[begin:end])


def is_rtcp(datagram: bytes) -> bool:
    """Whether a datagram that came to RTP's port is RTCP."""
    return len(datagram) > 1 and datagram[1] in RTCP_TYPES


def leaving(datagram: bytes) -> set[int]:
    """Who says BYE in a datagram of RTCP; nobody where it is damaged or none."""
    gone: set[int] = set()
    while len(datagram) >= _RTCP_HEADER.size:
        first, kind, n_words = _RTCP_HEADER.unpack_from(datagram)
        report, datagram = datagram[4 : 4 + 4 * n_words], datagram[4 + 4 * n_words :]
        if first >> 6 != _VERSION or len(report) < 4 * n_words:
            return set()
        if kind == BYE:
            gone |= {ssrc for (ssrc,) in islice(struct.iter_unpack(">I", report), first & 0x1F)}
    return gone


def _extension_bytes(datagram: bytes, at: int) -> int:
    """Length of the header's extension."""
    if len(datagram) < at + _EXTENSION.size:
        raise AudioError("the header is cut short")
    n_words: int = _EXTENSION.unpack_from(datagram, at)[1]
    return _EXTENSION.size + 4 * n_words


def _padding_bytes(datagram: bytes) -> int:
    """Of the end, which tells its own length."""
    if datagram[-1] == 0:
        raise AudioError("padding of 0 bytes")
    return datagram[-1]
