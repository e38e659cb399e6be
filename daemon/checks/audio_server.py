"""Whether PulseAudio, or PipeWire in its place, is there and answers."""

from collections.abc import Iterator

from digitd.daemon.checks.finding import Finding, fail, ok, warn
from digitd.daemon.checks.host import Host
from digitd.daemon.checks.sound_cards import inputs
from digitd.daemon.config import DaemonConfig

WHAT = "audio server"
_PLUGINS = tuple(f"usr/{folder}/alsa-lib/libasound_module_pcm_p[iu]*.so" for folder in ("lib", "lib/*", "lib64"))
"""ALSA's ways to PulseAudio and PipeWire: without one, PortAudio reaches neither."""
_LEAST_UID = 1000
"""Of people."""


def examine(host: Host, _config: DaemonConfig) -> Iterator[Finding]:
    """The server, and the way to it."""
    server = host.audio_server
    where = f"{server.name} at {server.address}".strip()
    if server.state == "answers":
        yield _answering(where, server.microphone)
        yield from _way(host)
    elif server.state == "remote":
        yield ok(WHAT, f"{server.address} is on the network; only the recording tells whether it answers")
    elif server.state == "frozen":
        yield fail(
            WHAT,
            f"the one at {server.address} takes connections and answers none",
            "restart it: systemctl --user restart pipewire pipewire-pulse wireplumber, or pulseaudio",
        )
    elif server.state == "refuses":
        yield fail(
            WHAT,
            f"the one at {server.address} does not let {host.user.name} in ({server.trouble})",
            "run digitd as the user whom it serves: systemctl --user enable --now digitd.socket digitd.service",
        )
    else:
        yield _absent(host)


def _answering(where: str, microphone: str) -> Finding:
    if not microphone or microphone.startswith("@"):  # PipeWire's name for one that it does not have
        remedy = "plug in a microphone; of PipeWire, start what finds them: systemctl --user restart wireplumber"
        return warn(WHAT, f"{where}; it has no microphone", remedy)
    if microphone.endswith(".monitor"):
        return warn(
            WHAT,
            f"{where}; its default microphone {microphone!r} hears what the loudspeakers play",
            "plug in a microphone, or choose one of `pactl list short sources`: pactl set-default-source NAME",
        )
    return ok(WHAT, f"{where}; its default microphone is {microphone!r}")


def _way(host: Host) -> Iterator[Finding]:
    if not any(any(host.root.glob(pattern)) for pattern in _PLUGINS):
        yield warn(
            WHAT,
            "ALSA has no way to it, so that `mic:pulse` cannot be opened",
            "sudo apt install libasound2-plugins; elsewhere pipewire-alsa or alsa-plugins-pulse",
        )


def _absent(host: Host) -> Finding:
    others = [uid for uid in _sessions(host) if uid != host.user.uid]
    if others and not host.environment.get("XDG_RUNTIME_DIR"):
        return warn(
            WHAT,
            f"none for {host.user.name}; user {others[0]} has a session, whose server holds the sound cards",
            "run digitd as that user: systemctl --user enable --now digitd.socket digitd.service",
        )
    if inputs(host):
        return ok(WHAT, "none, as for a service of the system: ALSA gives the sound cards themselves")
    return warn(
        WHAT,
        f"none answers at {host.audio_server.address}",
        "on a desktop: systemctl --user start pipewire-pulse.socket, or pulseaudio --start",
    )


def _sessions(host: Host) -> list[int]:
    """Users who are logged in, or linger."""
    folder = host.root / "run/user"
    names = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return sorted(int(name) for name in names if name.isdecimal() and int(name) >= _LEAST_UID)
