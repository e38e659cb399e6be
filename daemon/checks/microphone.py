"""Whether the microphone that is asked for is there, and what a second of it sounds like."""

from collections.abc import Iterator
from importlib import metadata

from digitd.daemon.checks.finding import Finding, fail, failed, ok, warn
from digitd.daemon.checks.holders import daemons, owners
from digitd.daemon.checks.host import Host
from digitd.daemon.checks.level import measured
from digitd.daemon.checks.recording import RECORDED_S, Recording, record
from digitd.daemon.config import DaemonConfig
from digitd.daemon.errors import MicrophoneError, StalledError
from digitd.daemon.signal_watch import CLIPPING_SHARE

WHAT, LEVEL = "microphone", "level"
RATE_HZ = 16000
"""That every released bundle hears at."""
NOISY_DBFS = -40.0
"""A background above this is noise, unless something stands out from it by STANDS_OUT_DB: somebody speaks."""
STANDS_OUT_DB = 30.0


def examine(host: Host, config: DaemonConfig) -> Iterator[Finding]:
    """PyAudio, the microphone, its level."""
    library = _library()
    yield library
    if library.status == "fail":
        return
    if host.audio_server.state == "frozen":  # PortAudio asks it for whatever microphone, and would hang
        yield fail(WHAT, "not looked for: the audio server is frozen", "restart the audio server")
        return
    try:
        recording = record(config.source.spec.removeprefix("mic").removeprefix(":") or None, RATE_HZ)
    except MicrophoneError as error:
        yield _unheard(host, error)
        return
    yield _device(recording)
    yield from _daemons(host)
    yield _level(recording, by_server=host.audio_server.state == "answers")


def _library() -> Finding:
    try:
        import pyaudio
    except ModuleNotFoundError:
        return fail("PyAudio", "not installed", "sudo apt install portaudio19-dev, then pip install 'digitd[mic]'")
    except ImportError as error:
        return fail("PyAudio", f"cannot be loaded ({error})", "sudo apt install libportaudio2")
    return ok("PyAudio", f"{metadata.version('PyAudio')}, {pyaudio.get_portaudio_version_text().partition(',')[0]}")


def _unheard(host: Host, error: MicrophoneError) -> Finding:
    text = str(error)
    if text.startswith("no "):
        return fail(WHAT, text, "name one that `digitd devices` lists (--source mic:NAME), or plug it in")
    if "cannot be opened" in text:
        return taken(host, text.partition("; ")[0])
    if isinstance(error, StalledError):
        return fail(WHAT, text, "unplug it and plug it in again, or restart the audio server")
    return failed(WHAT, error)


def taken(host: Host, text: str) -> Finding:
    """Of a microphone that is there and cannot be opened: a sound card serves one program alone."""
    holders = owners(host)
    if any(holder.startswith("digitd ") for holder in holders):
        found = f"held by {', '.join(holders)}; its level is not measured"
        return warn(
            WHAT, found, "`digitd watch` tells what that hears; to measure it, stop that: systemctl stop digitd"
        )
    if holders:
        remedy = f"close {', '.join(holders)}; or go through the audio server: --source mic:pulse"
    else:
        remedy = "close what holds it: fuser -v /dev/snd/* shows it"
    return fail(WHAT, text, remedy)


def _device(recording: Recording) -> Finding:
    rate_hz, channels = recording.rate_hz, recording.frames.shape[1]
    form = f"{rate_hz} Hz, {channels} channel(s){'' if rate_hz == RATE_HZ else f', resampled to {RATE_HZ} Hz'}"
    found = f"{recording.device!r} gives {form}"
    if recording.dropped_frames:
        lost_s = recording.dropped_frames / rate_hz
        return warn(WHAT, f"{found}; {lost_s:.2f} s were lost", "see what keeps the machine busy: top")
    return ok(WHAT, found)


def _daemons(host: Host) -> Iterator[Finding]:
    if pids := daemons(host):
        yield ok("daemons", f"digitd records already (pid {', '.join(map(str, pids))})")


def _level(recording: Recording, *, by_server: bool) -> Finding:
    level = measured(recording.frames, recording.rate_hz)
    if level.zero_frames is None:
        return _silent(by_server)
    sound_s = recording.waited_s + level.zero_frames / recording.rate_hz
    found = (
        f"loudest {level.loudest_dbfs:.0f} dBFS, median {level.median_dbfs:.0f}, background {level.floor_dbfs:.0f}; "
        f"first sound after {sound_s:.1f} s"
    )
    if level.full_scale_share >= CLIPPING_SHARE:
        gain = "pactl set-source-volume @DEFAULT_SOURCE@ -6dB" if by_server else "alsamixer, F4, the input's gain"
        return warn(LEVEL, f"clipping: {level.full_scale_share:.1%} at full scale; {found}", f"turn it down: {gain}")
    if level.floor_dbfs > NOISY_DBFS and level.loudest_dbfs - level.floor_dbfs < STANDS_OUT_DB:
        remedy = "put the microphone nearer to the speaker and away from fans; turn boost and automatic gain off"
        return warn(LEVEL, f"noisy: {found}", remedy)
    return ok(LEVEL, found)


def _silent(by_server: bool) -> Finding:
    mute = "pactl set-source-mute @DEFAULT_SOURCE@ 0" if by_server else "alsamixer, F4, M on the input"
    found = f"silent: nothing but zeros in {RECORDED_S:g} s"
    return fail(LEVEL, found, f"unmute it: {mute}; or by its own switch. Behind a noise gate, speak meanwhile")
