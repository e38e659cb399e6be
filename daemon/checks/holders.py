"""Which processes have a microphone open."""

from collections.abc import Iterator

from digitd.daemon.checks.host import Host

_CAPTURE = "digitd.daemon.sources.capture"


def daemons(host: Host) -> list[int]:
    """Processes of digitd that record, as far as this user may see."""
    return [pid for pid in _pids(host) if _CAPTURE in _words(host, pid)]


def owners(host: Host) -> list[str]:
    """What ALSA tells: `name (pid N)` of each process that holds an input of a sound card."""
    found = []
    for status in sorted((host.root / "proc/asound").glob("card*/pcm*c/sub*/status")):
        for line in status.read_text().splitlines():
            key, _, value = (part.strip() for part in line.partition(":"))
            if key == "owner_pid" and value.isdecimal():
                found.append(f"{_name(host, int(value))} (pid {value})")
    return found


def _pids(host: Host) -> Iterator[int]:
    for folder in (host.root / "proc").iterdir():
        if folder.name.isdecimal():
            yield int(folder.name)


def _name(host: Host, pid: int) -> str:
    words = _words(host, pid)
    return "digitd" if _CAPTURE in words else words[0].rpartition("/")[2] or "a program"


def _words(host: Host, pid: int) -> list[str]:
    """The command line; nothing of a process that has ended, or that is hidden."""
    try:
        return (host.root / f"proc/{pid}/cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return [""]
