"""What a running process takes, as the kernel counts it."""

import os
import re
from collections.abc import Iterable
from pathlib import Path

MAPPING = re.compile(
    r"^[0-9a-f]+-[0-9a-f]+ \S+ (?P<place>[0-9a-f]+ \S+ (?P<inode>\d+))[^\n]*\n"
    r"(?:\w+:[^\n]*\n)*?Rss: +(?P<resident>\d+) kB\n(?:\w+:[^\n]*\n)*?Private_Dirty: +(?P<dirty>\d+) kB\n",
    re.MULTILINE,
)
"""An entry of smaps (proc(5)): offset, device and inode tell the part of a file that is mapped."""


def family(pid: int) -> list[int]:
    """A process and its children."""
    return [pid, *(int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def resident_mb(pid: int) -> float:
    """Memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024


def together_mb(pids: Iterable[int]) -> float:
    """Memory of some processes, where what several map of a file counts once."""
    own_kb, of_file_kb = 0, dict[str, int]()
    for pid in pids:
        for mapping in MAPPING.finditer(Path(f"/proc/{pid}/smaps").read_text()):
            resident_kb, dirty_kb = (int(mapping[name]) for name in ("resident", "dirty"))
            if mapping["inode"] == "0":
                own_kb += resident_kb
                continue
            own_kb += dirty_kb
            place = mapping["place"]
            of_file_kb[place] = max(of_file_kb.get(place, 0), resident_kb - dirty_kb)
    return (own_kb + sum(of_file_kb.values())) / 1024


def cpu_s(pid: int) -> float:
    """Processor time that a process has taken, to the nanosecond where the kernel's scheduler counts it so."""
    return sum(int(path.read_text().split()[0]) for path in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


def machine_busy_s() -> float:
    """Processor time that all processes together have taken since the machine started."""
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(
        int, Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]
    )
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
