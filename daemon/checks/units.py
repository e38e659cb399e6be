"""Whether systemd runs the daemon, and how it goes."""

from collections.abc import Iterator

from digitd.daemon.checks import systemd
from digitd.daemon.checks.finding import Finding, fail, ok, warn
from digitd.daemon.checks.host import Host
from digitd.daemon.checks.systemd import SERVICE, SOCKET, Manager, Units
from digitd.daemon.config import DaemonConfig

_ENABLED = ("enabled", "enabled-runtime")


def examine(host: Host, _config: DaemonConfig) -> Iterator[Finding]:
    """The system's unit and the session's; both are installed together, and one of them is used."""
    if not host.runs_systemd:
        yield ok("unit", "systemd does not run here")
        return
    yield _unit("system", host.system_units)
    yield _unit("user", host.user_units)
    yield from _linger(host)


def _unit(manager: Manager, units: Units) -> Finding:
    what, control = f"{manager} unit", "systemctl --user" if manager == "user" else "sudo systemctl"
    unit = units.get(SERVICE, {})
    loaded, enabled = unit.get("LoadState", ""), unit.get("UnitFileState") in _ENABLED
    if not unit:
        return ok(
            what, f"the {manager}'s service manager does not answer {'here' if manager == 'system' else 'this user'}"
        )
    if loaded == "not-found":
        return ok(what, "not installed")
    if loaded == "masked":
        return warn(what, "masked: it cannot be started", f"{control} unmask {SERVICE}")
    if loaded != "loaded":
        return fail(what, f"cannot be loaded ({loaded})", f"systemd-analyze --{manager} verify {SERVICE}")
    if unit["ActiveState"] == "inactive":
        return _inactive(what, control, enabled, systemd.waiting_path(units))
    return _started(what, control, enabled, unit)


def _inactive(what: str, control: str, enabled: bool, waiting_path: str) -> Finding:
    if waiting_path:
        return ok(what, f"not started; it is when a reader comes to {waiting_path}")
    if enabled:
        return warn(what, "enabled, and does not run", f"{control} start {SOCKET} {SERVICE}")
    return ok(what, "installed, not enabled")


def _started(what: str, control: str, enabled: bool, unit: dict[str, str]) -> Finding:
    log = f"{control.replace('systemctl', 'journalctl')} -u {SERVICE} -n 30"
    state, restarts = unit["ActiveState"], int(unit.get("NRestarts") or 0)
    result = f"result {unit.get('Result')}, exit status {unit.get('ExecMainStatus')}, {restarts} restart(s)"
    if state == "failed" or unit["SubState"] == "auto-restart":
        return fail(what, f"{unit['SubState']}: {result}", log)
    if state not in ("active", "reloading"):
        status = unit.get("StatusText") or "no audio has come yet"
        return warn(what, f"{state}: {status}", log)
    found = f"runs: {unit.get('StatusText') or unit['SubState']}"
    if restarts:
        return warn(what, f"{found}; {restarts} restart(s) since it was started", log)
    if not enabled:
        return warn(what, f"{found}; it is not enabled, so no boot starts it", f"{control} enable {SOCKET} {SERVICE}")
    return ok(what, found)


def _linger(host: Host) -> Iterator[Finding]:
    """Whether a session's unit runs without the session."""
    if host.user_units.get(SERVICE, {}).get("UnitFileState") not in _ENABLED:
        return
    if (host.root / "var/lib/systemd/linger" / host.user.name).exists():
        yield ok("linger", f"the user unit runs from boot on, {host.user.name} logged in or not")
        return
    yield warn(
        "linger",
        f"the user unit runs only while {host.user.name} is logged in",
        f"loginctl enable-linger {host.user.name}",
    )
