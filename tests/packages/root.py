"""A Debian of its own, in a folder, to install packages into."""

import shutil
import subprocess
from pathlib import Path

TOOLS = ("mmdebstrap", "dpkg-buildpackage", "dh", "lintian", "unshare")
ENTER = """
mount -t proc proc "$0/proc"
mount -t tmpfs devices "$0/dev"
for device in null zero random urandom; do touch "$0/dev/$device"; mount --bind "/dev/$device" "$0/dev/$device"; done
exec chroot "$0" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root DEBIAN_FRONTEND=noninteractive "$@"
"""
CHANGING = (
    "proc",
    "dev",
    "tmp",
    "root",
    "var/cache",
    "var/log",
    "var/lib/apt",
    "var/lib/dpkg",
    "var/lib/systemd",
    "run",
)
"""Folders that the tools of the system write to whatever is installed."""


def why_not() -> str:
    """What is missing for a Debian of one's own, or nothing."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"no {', '.join(missing)}: `apt install mmdebstrap debhelper lintian`"
    entered = subprocess.run(["unshare", "--mount", "--pid", "--fork", "true"], capture_output=True, check=False)
    return "needs root, for mount namespaces" if entered.returncode else ""


class Root:
    """A minimal Debian with what the package depends on, but not the package."""

    def __init__(self, folder: Path, deb: Path) -> None:
        self.folder = folder
        shown = subprocess.run(["dpkg-deb", "--field", deb, "Depends"], capture_output=True, text=True, check=True)
        needed = [one.split("|")[0].split("(")[0].strip() for one in shown.stdout.split(",")]
        command = ["mmdebstrap", "--variant=apt", f"--include={','.join(needed)}", "bookworm", str(folder)]
        subprocess.run(command, capture_output=True, check=True)

    def run(self, *command: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """A command within, as root, with an empty environment."""
        enter = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "bash",
            "-c",
            ENTER,
            str(self.folder),
            *command,
        ]
        done = subprocess.run(enter, capture_output=True, text=True, check=False)
        assert not check or done.returncode == 0, done.stdout + done.stderr
        return done

    def install(self, deb: Path) -> None:
        """Install or upgrade, as somebody does who answers no question."""
        shutil.copy(deb, self.folder / "root")
        self.run(
            "apt-get",
            "install",
            "-y",
            "--no-install-recommends",
            "-o",
            "Dpkg::Options::=--force-confold",
            f"/root/{deb.name}",
        )

    def paths(self) -> set[str]:
        """Everything in it, but for what changes by itself."""
        prune = [word for name in CHANGING for word in ("-path", f"./{name}", "-prune", "-o")]
        done = subprocess.run(
            ["find", ".", *prune, "-print"], cwd=self.folder, capture_output=True, text=True, check=True
        )
        return set(done.stdout.splitlines())
