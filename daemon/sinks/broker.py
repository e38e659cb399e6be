"""A connection to an MQTT broker, kept through its restarts on a thread of its own.

Only that thread calls paho-mqtt, whose own one may send a new message before those that the broker has to get again.
"""

import logging
import secrets
import select
import socket
import ssl
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from paho.mqtt import client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from digitd.daemon.sinks.mqtt_address import Address
from digitd.daemon.sinks.mqtt_config import MqttConfig
from digitd.daemon.sinks.outbox import Outbox

FIRST_PAUSE_S = 0.2
LONGEST_PAUSE_S = 10.0
CONNECT_S = 5.0
MOST_UNCONFIRMED = 20
"""What brokers let a client have on the way, where they do not say less."""
MISC_S = 0.5
LEAVE_S = 0.15
PASSING = ("Server unavailable", "Server busy", "Connection rate exceeded", "Quota exceeded", "Unspecified error")
"""Reasons for a refusal that pass by themselves; all others are somebody's to mend."""

logger = logging.getLogger(__name__)


class Broker:
    """Hands what is in an outbox to a broker, in order, whenever one is there.

    Args:
        name: its name in the log.
        drop: told of messages that it will never have.
    """

    def __init__(
        self, name: str, address: Address, config: MqttConfig, password: str | None, outbox: Outbox,
        drop: Callable[[int], None],
    ) -> None:  # fmt: skip
        self._name, self._address, self._config = name, address, config
        self._outbox, self._drop = outbox, drop
        self._client = self._made(password)
        self._most_unconfirmed = MOST_UNCONFIRMED
        self._statuses: set[int] = set()
        self._pause_s = FIRST_PAUSE_S
        self._up = self._told_away = self._told_refused = False
        self._trouble = f"no answer within {CONNECT_S:g} s"
        self.refused = ""
        """Why the broker does not want us, where it says so and that does not pass by itself."""
        self.tried = threading.Event()
        """Set when the first attempt is over."""
        self._closing = threading.Event()
        self._bell, self._rung = socket.socketpair()
        for end in (self._bell, self._rung):
            end.settimeout(0)
        self._thread = threading.Thread(target=self._run, name="mqtt", daemon=True)

    def open(self, within_s: float) -> None:
        """Begin, and wait for the first answer; what comes of it is in `refused`, or told."""
        self._thread.start()
        if not self.tried.wait(within_s):
            self._tell_away()

    def ring(self) -> None:
        """There is something in the outbox."""
        with suppress(BlockingIOError):  # it has been rung often enough
            self._rung.send(b"!")

    def close(self, within_s: float) -> None:
        """Say good-bye, and end; a thread that hangs in a connection is left to itself."""
        self._closing.set()
        self.ring()
        self._thread.join(within_s)
        if not self._thread.is_alive():
            self._bell.close()
            self._rung.close()

    def _made(self, password: str | None) -> mqtt.Client:
        address, config = self._address, self._config
        v5 = config.protocol == "5"
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=config.client_id or f"digitd-{secrets.token_hex(8)}",
            clean_session=None if v5 else True,
            protocol=mqtt.MQTTv5 if v5 else mqtt.MQTTv311,
            reconnect_on_failure=False,
        )
        client.connect_timeout = CONNECT_S
        client.max_inflight_messages = 0  # the window is ours
        if address.username or config.username:
            client.username_pw_set(address.username or config.username, password)
        if address.tls:
            client.tls_set_context(ssl.create_default_context(cafile=config.ca_file or None))
        client.will_set(address.status_topic, "offline", qos=1, retain=True)
        client.on_connect, client.on_publish = self._on_connect, self._on_publish
        client.on_disconnect = self._on_disconnect
        return client

    def _run(self) -> None:
        """The thread."""
        while not self._closing.is_set():
            began_s = time.monotonic()
            try:
                self._connect()
                self._serve()
                if self._closing.is_set():
                    self._leave()
                    return
                trouble = self._trouble
            except ssl.SSLCertVerificationError as error:
                trouble = self.refused = f"its certificate is not trusted ({error.verify_message})"
            except OSError as error:
                trouble = error.strerror or str(error)
            if time.monotonic() - began_s > LONGEST_PAUSE_S:
                self._pause_s = FIRST_PAUSE_S
            self._end(trouble)
            self._closing.wait(self._pause_s)
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)

    def _connect(self) -> None:
        self._trouble = "it does not answer"
        if self._client.host:
            self._client.reconnect()
            return
        self._client.connect(self._address.host, self._address.port, self._config.keepalive_s)

    def _serve(self) -> None:
        """Until the connection ends, or we do."""
        while not self._closing.is_set():
            self._fill()
            if (connection := self._client.socket()) is None:
                return
            self._turn(connection, MISC_S)

    def _turn(self, connection: Any, wait_s: float) -> None:
        """Whatever can be read or written now, or comes within `wait_s`."""
        poll = select.poll()
        poll.register(self._bell, select.POLLIN)
        poll.register(connection, select.POLLIN | (select.POLLOUT if self._client.want_write() else 0))
        decrypted = isinstance(connection, ssl.SSLSocket) and connection.pending() > 0
        ready = dict(poll.poll(0 if decrypted else wait_s * 1000))
        if self._bell.fileno() in ready:
            self._bell.recv(4096)
        found = ready.get(connection.fileno(), 0)
        if decrypted or found & ~select.POLLOUT:
            self._client.loop_read()
        if found & select.POLLOUT:
            self._client.loop_write()
        self._client.loop_misc()

    def _fill(self) -> None:
        """Hand over as many as may be on the way."""
        while self._up and self._outbox.unconfirmed < self._most_unconfirmed and (message := self._outbox.take()):
            self._client.publish(message.topic, message.payload, self._config.qos, message.retain)

    def _end(self, trouble: str) -> None:
        """The connection is over."""
        self._up, self._trouble = False, trouble
        if self._config.qos == 0 and (lost := self._outbox.lose()):  # else they are sent again
            self._drop(lost)
        if not self._closing.is_set() and (self.tried.is_set() or not self.refused):  # at the start we end with it
            self._tell_away()
        self.tried.set()

    def _tell_away(self) -> None:
        """Once for each time that it goes; one that takes nothing from us comes and goes, which was told."""
        if not self._told_away and not self._told_refused:
            waiting = f", {len(self._outbox)} events wait" if len(self._outbox) else ""
            logger.warning("%s: no broker there (%s)%s; trying again", self._name, self._trouble, waiting)
        self._told_away = True

    def _leave(self) -> None:
        """Tell that we go: what is sent before DISCONNECT is taken before it, and the will is void."""
        if self._up and self._client.socket() is not None:
            self._publish_status("offline")
            self._client.disconnect()
            until_s = time.monotonic() + LEAVE_S
            while (
                self._client.want_write()
                and (connection := self._client.socket()) is not None
                and time.monotonic() < until_s
            ):
                self._turn(connection, LEAVE_S)

    def _publish_status(self, status: str) -> None:
        self._statuses.add(self._client.publish(self._address.status_topic, status, qos=1, retain=True).mid)

    def _on_connect(
        self, _client: mqtt.Client, _data: Any, _flags: mqtt.ConnectFlags, reason: ReasonCode,
        properties: Properties | None,
    ) -> None:  # fmt: skip
        if reason.is_failure:
            self._trouble = f"it refuses us: {reason}"
            self.refused = "" if str(reason) in PASSING else str(reason)
            return
        self._up, self.refused = True, ""
        self._trouble = "it hangs up on what is published; may we publish there?"
        self._most_unconfirmed = min(MOST_UNCONFIRMED, getattr(properties, "ReceiveMaximum", MOST_UNCONFIRMED))
        if not self._statuses:  # else it is sent again
            self._publish_status("online")
        self.tried.set()

    def _on_disconnect(
        self, _client: mqtt.Client, _data: Any, flags: mqtt.DisconnectFlags, reason: ReasonCode,
        _properties: Properties | None,
    ) -> None:  # fmt: skip
        if self._up and flags.is_disconnect_packet_from_server:
            self._trouble = str(reason)

    def _on_publish(
        self, _client: mqtt.Client, _data: Any, mid: int, reason: ReasonCode, _properties: Properties
    ) -> None:
        self._trouble = "it has gone"
        if self._told_away and self._up and not self._told_refused:
            logger.warning("%s: the broker is there", self._name)
            self._told_away = False
        if mid in self._statuses:
            self._statuses.discard(mid)
        else:
            self._outbox.confirm()
            if reason.is_failure:
                self._drop(1)
            else:
                self._told_refused = False
        if reason.is_failure:
            if not self._told_refused:
                logger.warning("%s: the broker refuses what is published (%s); may we there?", self._name, reason)
            self._told_refused = True
