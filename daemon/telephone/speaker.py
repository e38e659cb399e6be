"""One SSRC of RTP: his packets become sound, his sound a call."""

import asyncio
import logging
from dataclasses import dataclass

from digitd.daemon.errors import SinkError
from digitd.daemon.telephone.call import Call
from digitd.daemon.telephone.exchange import Exchange
from digitd.daemon.telephone.g711 import RATE_HZ, Samples, decoded
from digitd.daemon.telephone.jitter_buffer import JitterBuffer, Piece
from digitd.daemon.telephone.rtp_packet import Packet

HUSHED_S = 30.0
"""So long a speaker may send nothing after comfort noise: he has told that silence follows."""
MOST_AHEAD_S = 10.0
"""So much more sound than time a speaker may bring, two leaps; else a few packets would be hours to be heard."""
CATCHING_UP = 1.01
"""By so much faster than his sound our time goes here: clocks differ, and a call may be long."""
RETRY_S = 1.0
"""So long a speaker is passed over whom the daemon did not take."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RtpSettings:
    """How packets become sound."""

    depth_s: float = 0.06
    """How much later than the quickest a packet may be."""
    idle_s: float = 5.0
    """A speaker who sends nothing for so long has left."""


class Speaker:
    """He has a call once something is heard of him.

    Args:
        name: of his streams; those after the first get a number.
        host: where his packets come from; others with his SSRC are not his.
        exchange: where calls go.
        settings: how packets become sound.
    """

    def __init__(self, name: str, host: str, exchange: Exchange, settings: RtpSettings) -> None:
        self.host = host
        self._name, self._exchange, self._settings = name, exchange, settings
        self._buffer = JitterBuffer(settings.depth_s)
        self._call: Call | None = None
        self._n_streams = 1
        self._leaves_s = self._passed_over_until_s = 0.0
        self._ahead_s = self._counted_s = 0.0

    def has_left(self, now_s: float) -> bool:
        """Whether he has been silent for too long."""
        return now_s >= self._leaves_s

    def take(self, packet: Packet, now_s: float) -> None:
        """Hear a packet of G.711."""
        self._leaves_s = now_s + self._settings.idle_s
        if now_s < self._passed_over_until_s:
            return
        samples = decoded(packet.payload, packet.payload_type)
        self._buffer.push(Piece(packet.sequence, packet.timestamp, samples, packet.marker), now_s)
        if begun := self._buffer.successor:
            self.leave(now_s)
            self._buffer, self._call = begun, None
            self._n_streams += 1
        self.listen(now_s)

    def hush(self, now_s: float) -> None:
        """He has told that silence follows."""
        self._leaves_s = now_s + max(HUSHED_S, self._settings.idle_s)

    def listen(self, now_s: float) -> None:
        """Hear what is to be had by now: silence too."""
        self._hear(self._buffer.pull(now_s), now_s)

    def leave(self, now_s: float) -> None:
        """The end of his call, once all that he has sent is heard."""
        self._hear(self._buffer.finish(), now_s)
        if self._call:
            self._call.end()
            logger.info("%s leaves", self._call.name, extra={"fields": vars(self._buffer.counts)})

    def _hear(self, sound: list[Samples], now_s: float) -> None:
        for samples in sound:
            self._call = self._call or self._connected(now_s)
            if self._call is None:
                return
            if self._is_ahead(len(samples) / RATE_HZ, now_s):
                why = f"its sound is more than {MOST_AHEAD_S:g} s ahead of time; the stream ends"
                self._exchange.complain(self._call.name, why)
                self._pass_over(now_s)
                return
            if not self._call.overhear(samples.astype("<i2").tobytes()):
                logger.warning("%s: the daemon hears more slowly than is spoken; the stream ends", self._call.name)
                self._pass_over(now_s)
                return

    def _is_ahead(self, heard_s: float, now_s: float) -> bool:
        """Count so much sound; whether it is too much by now."""
        gone_s, self._counted_s = now_s - self._counted_s, now_s
        self._ahead_s = max(0.0, self._ahead_s - CATCHING_UP * gone_s) + heard_s
        return self._ahead_s > MOST_AHEAD_S

    def _connected(self, now_s: float) -> Call | None:
        """A call, unless there is no place for one."""
        if self._exchange.is_full:
            self._exchange.complain(self._name, "no place for one more call")
            self._pass_over(now_s)
            return None
        call = self._exchange.call(self._name + (f"-{self._n_streams}" if self._n_streams > 1 else ""), RATE_HZ)

        async def attend() -> None:
            try:
                await call.run()
            except SinkError as error:
                self._exchange.complain(call.name, str(error))
                if self._call is call:
                    self._pass_over(asyncio.get_running_loop().time())

        self._exchange.run(call, attend)
        return call

    def _pass_over(self, now_s: float) -> None:
        """End his stream; what he says later may become another."""
        if self._call:
            self._call.end()
        self._call, self._buffer = None, JitterBuffer(self._settings.depth_s)
        self._passed_over_until_s = now_s + RETRY_S
