"""A port of RTP: who speaks there."""

import asyncio
import logging
from typing import Any

from digitd.daemon.errors import AudioError
from digitd.daemon.telephone.exchange import Exchange
from digitd.daemon.telephone.g711 import SUBTYPES
from digitd.daemon.telephone.rtp_packet import COMFORT_NOISE, FIRST_DYNAMIC, Packet, is_rtcp, leaving, packet
from digitd.daemon.telephone.speaker import RtpSettings, Speaker

SPEAKERS = 4
"""On one port, at once: it is a call's, and those who speak there one after the other are its transfers."""
TELL_EVERY_S = 60.0
"""How often datagrams that were dropped are told of."""

logger = logging.getLogger(__name__)


class RtpPort(asyncio.DatagramProtocol):
    """Hears the datagrams of one port; those of RTCP may come to this one or the next.

    Args:
        port: names the streams.
        exchange: where calls go.
        settings: how packets become sound.
    """

    def __init__(self, port: int, exchange: Exchange, settings: RtpSettings) -> None:
        self._port, self._exchange, self._settings = port, exchange, settings
        self._speakers: dict[int, Speaker] = {}
        self._n_dropped, self._told_s = 0, float("-inf")

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Take in a datagram."""
        if is_rtcp(data):
            self.control(data, addr)
            return
        try:
            self._take(packet(data), addr[0])
        except AudioError as error:
            self._drop(str(error))

    def control(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Take in a datagram of RTCP."""
        for ssrc in leaving(data):
            if (speaker := self._speakers.get(ssrc)) and speaker.host == addr[0]:
                del self._speakers[ssrc]
                speaker.leave(_now_s())

    def tick(self, now_s: float) -> None:
        """What time alone brings: silence, and the end of those who have left."""
        for ssrc, speaker in list(self._speakers.items()):
            if speaker.has_left(now_s):
                del self._speakers[ssrc]
                speaker.leave(now_s)
            else:
                speaker.listen(now_s)

    def close(self) -> None:
        """All have left."""
        for speaker in self._speakers.values():
            speaker.leave(_now_s())
        self._speakers.clear()

    def _take(self, came: Packet, host: str) -> None:
        """Hear a packet; keys that are pressed (telephone-event) are passed over.

        Raises:
            AudioError: it is not to be heard.
        """
        speaker = self._speakers.get(came.ssrc)
        if speaker and speaker.host != host:
            raise AudioError("a speaker's packets from elsewhere")
        if came.payload_type in SUBTYPES and came.payload:
            speaker = speaker or self._newcomer(came.ssrc, host)
            speaker.take(came, _now_s())
        elif speaker and came.payload_type == COMFORT_NOISE:
            speaker.hush(_now_s())
        elif not speaker or came.payload_type < FIRST_DYNAMIC:
            raise AudioError(
                f"{len(came.payload)} bytes of payload type {came.payload_type}; have G.711 sent, type 0 or 8"
            )

    def _newcomer(self, ssrc: int, host: str) -> Speaker:
        if len(self._speakers) >= SPEAKERS:
            raise AudioError(f"{SPEAKERS} speak here already")
        name = f"rtp-{self._port}-{ssrc:08x}"
        self._speakers[ssrc] = speaker = Speaker(name, host, self._exchange, self._settings)
        return speaker

    def _drop(self, why: str) -> None:
        """Count what cannot be heard, and tell of it now and then."""
        self._n_dropped += 1
        now_s = _now_s()
        if now_s - self._told_s >= TELL_EVERY_S:
            self._told_s = now_s
            logger.warning("port %d: %d datagrams were dropped, the last: %s", self._port, self._n_dropped, why)


class RtcpPort(asyncio.DatagramProtocol):
    """Hears the port above, where RTCP comes by custom."""

    def __init__(self, rtp: RtpPort) -> None:
        self._rtp = rtp

    def datagram_received(self, data: bytes, addr: tuple[Any, ...]) -> None:
        """Take in a datagram."""
        self._rtp.control(data, addr)


def _now_s() -> float:
    """The time that the event loop goes by."""
    return asyncio.get_running_loop().time()
