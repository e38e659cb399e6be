"""Whether a daemon answers on the sockets where one is looked for."""

import grp
import json
import os
import pwd
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from digitd.daemon.checks import systemd
from digitd.daemon.checks.finding import Finding, Status, fail, ok
from digitd.daemon.checks.host import Host
from digitd.daemon.checks.user import group_name
from digitd.daemon.config import DaemonConfig
from digitd.daemon.errors import SinkError
from digitd.daemon.received import received
from digitd.daemon.sinks.unix_socket import MAX_PATH_BYTES
from digitd.daemon.watch_cli import SYSTEM_SOCKET

WHAT = "socket"
ANSWER_S = 2.0
MAX_LINE_BYTES = 64 * 1024


def examine(host: Host, config: DaemonConfig) -> Iterator[Finding]:
    """The sockets of the settings, and those that `digitd watch` takes, where they are there."""
    asked = [Path(spec.removeprefix("unix:")) for spec in config.sinks if spec.startswith("unix:")]
    usual = [path for path in _usual(host) if path not in asked]
    there = [path for path in usual if os.path.lexists(path)]
    for path in asked:
        yield _look(host, path, "fail")
    for path in there:
        yield _look(host, path, "warn")
    if not asked and not there:
        yield ok(WHAT, f"none asked for, and no daemon's at {' or '.join(map(str, usual))}")
    if asked and config.socket.group:
        yield _group(host, config.socket.group)


def _usual(host: Host) -> list[Path]:
    paths = [host.root / SYSTEM_SOCKET.relative_to("/")]
    if folder := host.environment.get("XDG_RUNTIME_DIR"):
        paths.insert(0, Path(folder, "digitd.sock"))
    if named := host.environment.get("DIGITD_SOCKET"):
        paths.insert(0, Path(named))
    return paths


def _look(host: Host, path: Path, bad: Status) -> Finding:
    """One socket; what is wrong with one that the settings do not name is no failure."""
    what = f"{WHAT} {path}"
    if len(os.fsencode(path)) > MAX_PATH_BYTES:
        return Finding(bad, what, f"its path is longer than {MAX_PATH_BYTES} bytes", "name a shorter one")
    try:
        mode = path.stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return _absent(what, path, bad)
    except PermissionError:
        return Finding(bad, what, f"{host.user.name} may not look into its folder", _admission(host, path.parent))
    if not stat.S_ISSOCK(mode):
        return Finding(bad, what, "is no socket", "move it away, or name another path")
    if str(path) in map(systemd.waiting_path, (host.system_units, host.user_units)):
        return ok(what, "systemd listens, and starts the daemon when a reader comes")
    return _answer(host, what, path, bad)


def _absent(what: str, path: Path, bad: Status) -> Finding:
    if path.parent.is_dir():
        return ok(what, "not there: no daemon runs on it")
    return Finding(bad, what, f"there is no folder {path.parent}", f"mkdir {path.parent}; in /run, systemd makes it")


def _answer(host: Host, what: str, path: Path, bad: Status) -> Finding:
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(ANSWER_S)
        try:
            client.connect(os.fspath(path))
            line = _first_line(client)
        except ConnectionRefusedError:
            return Finding("warn", what, "stale: nobody answers on it", "start the daemon, which replaces it")
        except PermissionError:
            return Finding(bad, what, f"{host.user.name} may not connect", _admission(host, path))
        except (TimeoutError, BlockingIOError):
            found = f"no event in {ANSWER_S:g} s: the daemon there still looks for its microphone, or hangs"
            return Finding(bad, what, found, "see its log: journalctl -u digitd, or journalctl --user -u digitd")
        except OSError as error:
            return Finding(bad, what, f"breaks off: {error.strerror or error}", "see what else listens on it: ss -xlp")
    try:
        told = json.loads(received(line).line)
    except SinkError as error:
        return Finding(bad, what, str(error).partition("; ")[0], "see what else listens on it: ss -xlp")
    about = ", ".join(f"{name} {told[name]}" for name in ("model", "provider", "source", "mode") if name in told)
    return ok(what, f"digitd answers: {about}")


def _first_line(client: socket.socket) -> bytes:
    """Without its end; what comes before the other side hangs up.

    Raises:
        TimeoutError: there is none after ANSWER_S.
    """
    line, until_s = b"", time.monotonic() + ANSWER_S
    while b"\n" not in line and len(line) < MAX_LINE_BYTES:
        client.settimeout(max(until_s - time.monotonic(), 0.001))  # 0 would be no wait at all
        if not (more := client.recv(4096)):
            break
        line += more
    return line.partition(b"\n")[0]


def _admission(host: Host, path: Path) -> str:
    """How to get in to a socket or a folder."""
    try:
        found = path.stat()
    except PermissionError:
        return _admission(host, path.parent)
    if found.st_mode & stat.S_IWGRP or (stat.S_ISDIR(found.st_mode) and found.st_mode & stat.S_IXGRP):
        return host.user.joining(group_name(found.st_gid))
    try:
        owner = pwd.getpwuid(found.st_uid).pw_name
    except KeyError:
        owner = str(found.st_uid)
    return f"it is {owner}'s alone: read it as {owner}, or let the daemon make one elsewhere with [socket] group"


def _group(host: Host, name: str) -> Finding:
    what = "socket.group"
    try:
        grp.getgrnam(name)
    except KeyError:
        return fail(what, f"there is no group {name!r}", f"sudo groupadd --system {name}, or name another")
    if host.user.uid and name not in host.user.process_groups:
        found = f"{host.user.name} is not in {name!r} and cannot give it a socket"
        return Finding("warn", what, found, host.user.joining(name))
    return ok(what, f"{name!r} may read")
