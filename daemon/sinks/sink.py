"""What every sink offers, and which one a SPEC names."""

import socket
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Event as Flag
from typing import Protocol, runtime_checkable

from digitd.daemon.errors import SinkError
from digitd.daemon.events import Event
from digitd.daemon.mode_switch import ModeSwitch
from digitd.daemon.settings import nearest, setting
from digitd.daemon.sinks.mqtt_config import MqttConfig

KINDS = (
    "stdout:text",
    "stdout:strings",
    "stdout:jsonl",
    "unix:PATH",
    "exec:COMMAND",
    "mqtt://HOST/TOPIC",
    "mqtts://HOST/TOPIC",
)


@dataclass(frozen=True)
class SocketConfig:
    """Of sockets that readers follow."""

    group: str = ""
    """May connect beside the owner; empty: the process's own group."""


@dataclass(frozen=True)
class HookConfig:
    """Of commands that are run for events."""

    types: tuple[str, ...] = ("digit", "string")
    """Of the events that a command is run for."""
    timeout_s: float = setting(10.0, at_least=0.1, at_most=3600)
    """A command that takes longer is killed, with all that it started."""
    at_once: int = setting(1, at_least=1, at_most=64)
    """So many commands of a sink run at the same time; with 1 they keep the events' order."""


@dataclass(frozen=True)
class Surroundings:
    """What a sink is opened in."""

    stop: Flag
    """Once it is set, no reader is waited for any more."""
    switch: ModeSwitch
    """Through which a reader may ask for the other mode."""
    live: bool = False
    """Whether the source goes on by itself: then nobody is waited for; else a slow reader holds the source back."""
    secret: bool = False
    """Whether digits must not get into logs."""
    socket_config: SocketConfig = field(default_factory=SocketConfig)
    hook_config: HookConfig = field(default_factory=HookConfig)
    mqtt_config: MqttConfig = field(default_factory=MqttConfig)
    handed_over: dict[Path, socket.socket] = field(default_factory=dict)
    """Listening sockets that the service manager has opened."""
    count_dropped: Callable[[str, int], None] = lambda _what, _count: None
    """Told of readers and events that were dropped."""


@dataclass(frozen=True)
class Backlog:
    """What a sink's readers have not taken yet."""

    readers: int = 0
    """That follow a socket."""
    waiting_bytes: int = 0
    """For them all together."""
    waiting_events: int = 0
    """In queues."""


class ReaderGone(Exception):  # noqa: N818 - no error: `digitd run | head -1` is right to leave
    """The one reader of a sink has left; there is nothing more to publish for."""


class Sink(Protocol):
    """Takes events in order."""

    def publish(self, event: Event) -> None:
        """Hand one event on.

        Raises:
            ReaderGone: nobody will ever read it.
        """
        ...

    @property
    def backlog(self) -> Backlog:
        """What waits now; asked for from any thread."""
        ...

    def close(self) -> None:
        """Flush what is pending: within half a second where `stop` is set or the source is live."""
        ...


@runtime_checkable
class Window(Protocol):
    """A sink through which somebody may look on."""

    @property
    def watched(self) -> bool:
        """Whether somebody does."""
        ...

    def show(self, glimpse: str) -> None:
        """Show those who look on a line; it returns at once."""
        ...


def open_sink(spec: str, surroundings: Surroundings) -> Sink:
    """The sink that `spec` names.

    Raises:
        SinkError: no such sink, or it cannot be opened.
    """
    kind, _, argument = spec.partition(":")
    if kind == "unix" and argument:
        from digitd.daemon.sinks.unix_socket import UnixSocketSink

        return UnixSocketSink(Path(argument), surroundings)
    if kind == "exec" and argument.strip():
        from digitd.daemon.sinks.hook import HookSink

        return HookSink(argument, surroundings)
    if kind in ("mqtt", "mqtts"):
        from digitd.daemon.sinks.mqtt import MqttSink

        return MqttSink(spec, surroundings)
    if kind == "stdout":
        from digitd.daemon.sinks.stdout import FORMATS, StdoutSink

        if argument in FORMATS:
            if not surroundings.live:
                return StdoutSink(FORMATS[argument], surroundings)
            from digitd.daemon.sinks.queued import QueuedSink

            ending = Flag()
            sink = StdoutSink(FORMATS[argument], replace(surroundings, stop=ending))
            return QueuedSink(sink, spec, ending, surroundings.count_dropped)
    raise SinkError(f"no sink {spec!r}{nearest(spec, KINDS)}")
