"""All that `digitd doctor` looks at, in the order of the data path; what one check stumbles over hides no other."""

import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from digitd.daemon.checks import audio_server, extras, microphone, model, provider, sockets, sound_cards, source, units
from digitd.daemon.checks.finding import Finding, fail, failed, ok
from digitd.daemon.checks.host import Host
from digitd.daemon.config import DaemonConfig, compose
from digitd.daemon.errors import ConfigError, DigitdError

Check = Callable[[Host, DaemonConfig], Iterator[Finding]]

SERVICE_CONFIG = Path("/etc/digitd/digitd.toml")

_HEARING: dict[str, Check] = {
    "audio server": audio_server.examine,
    "sound cards": sound_cards.examine,
    "microphone": microphone.examine,
}
_REST: dict[str, Check] = {
    "model": model.examine,
    "provider": provider.examine,
    "extras": extras.examine,
    "socket": sockets.examine,
    "unit": units.examine,
}


def diagnose(host: Host, file: Path | None, flags: dict[str, Any]) -> Iterator[Finding]:
    """The findings, each as soon as it is there.

    Raises:
        ConfigError: the command line's `flags` are wrong, by themselves.
    """
    config = compose(None, flags)
    try:
        config = compose(file, flags)
        yield _configuration(host, file)
    except ConfigError as error:
        for problem in str(error).splitlines():
            yield fail("configuration", problem, "mend it; what follows is checked with the defaults")
    for each in config.heard:
        one = replace(config, source=each, sources=None)
        by_microphone = each.spec == "mic" or each.spec.startswith("mic:")
        for what, check in (_HEARING if by_microphone else {"source": source.examine}).items():
            yield from _in_isolation(what, check(host, one))
    for what, check in _REST.items():
        yield from _in_isolation(what, check(host, config))


def _in_isolation(what: str, findings: Iterator[Finding]) -> Iterator[Finding]:
    try:
        yield from findings
    except DigitdError as error:
        yield failed(what, error)
    except (OSError, subprocess.SubprocessError, ValueError) as error:  # ValueError: a NUL in a path
        yield fail(what, f"cannot be looked at: {error}", "mend that, or run the doctor as the daemon's user")


def _configuration(host: Host, file: Path | None) -> Finding:
    if file is not None:
        return ok("configuration", f"{file} is right")
    service = host.root / SERVICE_CONFIG.relative_to("/")
    hint = f"; for the service's: digitd doctor --config {service}" if service.exists() else ""
    return ok("configuration", f"no file given, the defaults{hint}")
