"""A sink that publishes events to an MQTT broker, each under a topic of its stream and type."""

import logging
import time
from pathlib import Path

from digitd.daemon.errors import SinkError
from digitd.daemon.events import Event, Ready
from digitd.daemon.sinks.broker import Broker
from digitd.daemon.sinks.mqtt_address import Address, parsed
from digitd.daemon.sinks.mqtt_config import MqttConfig
from digitd.daemon.sinks.outbox import Message, Outbox
from digitd.daemon.sinks.sink import Backlog, Surroundings

START_S = 2.0
"""So long the first answer of a broker is waited for: one that refuses us is told at once, one that is away is not."""
POLL_S = 0.05
CLOSE_S = 0.3
LEAVE_S = 0.2

logger = logging.getLogger(__name__)


class MqttSink:
    """Publishes each event; while the broker is away they wait, up to a bound.

    Raises:
        SinkError: the address or a file of [mqtt] is wrong, a password would go unencrypted, or the broker refuses us.
    """

    def __init__(self, spec: str, surroundings: Surroundings) -> None:
        self._spec, self._surroundings, self._config = spec, surroundings, surroundings.mqtt_config
        self._address = parsed(spec)
        self._dropping = 0
        self._outbox = Outbox(self._config.most_waiting)
        password = _password(spec, self._address, self._config)
        if surroundings.secret and not self._address.private:
            logger.warning("%s: secret = true, and digits go unencrypted over the network; use mqtts://", spec)
        try:
            self._broker = Broker(spec, self._address, self._config, password, self._outbox, self._drop)
        except OSError as error:
            raise SinkError(
                f"mqtt.ca_file: {self._config.ca_file}: no certificates can be read there ({error.strerror or error}); "
                "name a PEM file"
            ) from error
        self._broker.open(START_S)
        if self._broker.refused:
            self._broker.close(LEAVE_S)
            raise SinkError(f"{spec}: the broker cannot be used: {self._broker.refused}; {self._remedy()}")

    @property
    def backlog(self) -> Backlog:
        """Events that the broker has not confirmed yet."""
        return Backlog(waiting_events=len(self._outbox))

    def publish(self, event: Event) -> None:
        """Queue the event. Where too many wait, it is dropped if the source is live, else waited with for a while."""
        kind = event.body.type
        retain = self._config.retain_ready and isinstance(event.body, Ready)
        message = Message(self._address.topic_of(event.stream, kind), event.to_json().encode(), retain)
        taken = self._outbox.put(message)
        if not taken and not self._dropping and not self._hurried:
            self._await_at_most(self._config.most_waiting - 1)
            taken = self._outbox.put(message)
        if not taken:
            if not self._dropping:
                logger.warning("%s: %d events wait; more are dropped", self._spec, self._config.most_waiting)
            self._dropping += 1
            self._drop(1)
            return
        self._broker.ring()
        if self._dropping:
            logger.warning("%s: %d events were dropped; their numbers are missing", self._spec, self._dropping)
            self._dropping = 0

    def close(self) -> None:
        """Let the broker take what waits: for CLOSE_S where we must hurry, else as long as it takes any of it."""
        self._await_at_most(0)
        self._broker.close(LEAVE_S)
        if left := len(self._outbox):
            logger.warning("%s: the broker did not confirm %d last events", self._spec, left)
            self._drop(left)

    @property
    def _hurried(self) -> bool:
        return self._surroundings.live or self._surroundings.stop.is_set()

    def _await_at_most(self, count: int) -> None:
        """Wait until so few wait; while nothing moves not for longer than `patience_s`; CLOSE_S once we must hurry."""
        patient = not self._hurried
        until_s = time.monotonic() + (self._config.patience_s if patient else CLOSE_S)
        confirmed = self._outbox.confirmed
        while not self._outbox.await_at_most(count, POLL_S) and time.monotonic() < until_s:
            if patient and self._hurried:
                patient, until_s = False, time.monotonic() + CLOSE_S
            elif patient and self._outbox.confirmed > confirmed:
                confirmed, until_s = self._outbox.confirmed, time.monotonic() + self._config.patience_s

    def _drop(self, count: int) -> None:
        self._surroundings.count_dropped("events", count)

    def _remedy(self) -> str:
        if "certificate" in self._broker.refused:
            return "name the authority that signed it in mqtt.ca_file"
        return "look at mqtt.username, mqtt.password_file, mqtt.client_id and mqtt.protocol"


def _password(spec: str, address: Address, config: MqttConfig) -> str | None:
    """The password, where there is one.

    Raises:
        SinkError: it cannot be read, has no name with it, or would be sent for all to read.
    """
    if not config.password_file:
        return None
    if not (address.username or config.username):
        raise SinkError("mqtt.password_file: there is no name for this password; set mqtt.username")
    if not address.private:
        raise SinkError(f"{spec}: the password would go unencrypted over the network; use mqtts://{address.host}")
    try:
        password = Path(config.password_file).read_text(encoding="utf-8").removesuffix("\n").removesuffix("\r")
    except (OSError, ValueError) as error:  # what is no UTF-8 is a ValueError, and its message may hold the password
        why = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise SinkError(f"mqtt.password_file: {config.password_file}: cannot be read ({why})") from None
    if not password:
        raise SinkError(f"mqtt.password_file: {config.password_file} is empty; write the password into it")
    return password
