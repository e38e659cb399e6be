"""The Debian package on a machine that runs: a real systemd starts its service, and dpkg starts it anew and ends it."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.conftest import DEMO_DIGITS
from tests.systemd.box import CONFIG, Box, why_not
from tests.systemd.test_manager import IN_GROUP, LISTENER, SERVICE, SOCKET, Reader

pytestmark = [pytest.mark.microphone, pytest.mark.slow]
OF_PACKAGE = ("/usr/bin/digitd", "/usr/lib/digitd", "/lib/systemd/system/digitd.service", "/etc/digitd", "/run/digitd")
OF_MACHINE = ("/var/lib/digitd/models", "/var/cache/digitd")
"""What calibrate and CUDA leave."""


@pytest.fixture
def machine(deb: Path, newer: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Box]:
    """A booted systemd on a view of this machine, with both packages in /packages and none of them installed."""
    if reason := why_not():
        pytest.skip(reason)
    put = tmp_path_factory.mktemp("put")
    (put / "packages").mkdir()
    (put / "usr/lib/tmpfiles.d").mkdir(parents=True)
    (put / "usr/lib/tmpfiles.d/digitd.conf").touch()  # which the box asks for as it boots; the package's replaces it
    for package in (deb, newer):
        shutil.copy(package, put / "packages")
    box = Box(tmp_path_factory.mktemp("box"), put)
    box.run("rm", "-f", "/usr/sbin/policy-rc.d")  # with which a container forbids packages to start services
    yield box
    box.close()


def dpkg(machine: Box, *arguments: str) -> None:
    """Run dpkg there, as somebody does who answers no question."""
    command = machine.command("DEBIAN_FRONTEND=noninteractive", "dpkg", "--force-confold", *arguments)
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def heard(machine: Box) -> str:
    """What a reader of the service's socket, who is in its group, gets of the demo."""
    reader = Reader(machine, *IN_GROUP)
    reader.until("ready")
    machine.play()
    events = reader.until("string")
    reader.close()
    return "".join(str(event["digit"]) for event in events if event["type"] == "digit")


def state(machine: Box) -> list[str]:
    """Whether service and socket are enabled, and whether they run."""
    return [
        machine.run("systemctl", word, unit, check=False).strip()
        for word in ("is-enabled", "is-active")
        for unit in (SERVICE, LISTENER)
    ]


def test_the_service_hears_through_an_upgrade_and_is_gone_after_a_purge(machine: Box, deb: Path, newer: Path) -> None:
    dpkg(machine, "--install", f"/packages/{deb.name}")
    assert state(machine) == ["disabled", "disabled", "inactive", "inactive"]

    machine.plug_in_a_microphone()  # edits the configuration
    machine.run("systemctl", "enable", "--now", SERVICE)
    assert heard(machine) == DEMO_DIGITS

    settings, first = machine.run("cat", CONFIG), machine.show(SERVICE, "InvocationID")
    dpkg(machine, "--install", f"/packages/{newer.name}")
    assert state(machine) == ["enabled", "enabled", "active", "active"]
    assert machine.show(SERVICE, "InvocationID") != first
    assert machine.run("cat", CONFIG) == settings
    assert heard(machine) == DEMO_DIGITS

    dpkg(machine, "--remove", "digitd")
    assert state(machine)[2:] == ["inactive", "inactive"]
    assert machine.run("ls", SOCKET, check=False) == ""
    assert machine.run("cat", CONFIG) == settings

    machine.run("mkdir", "-p", *OF_MACHINE)
    dpkg(machine, "--purge", "digitd")
    machine.run("rm", "-r", "/etc/systemd/system/digitd.service.d")  # this test's own
    assert machine.run("ls", "-d", *OF_PACKAGE, *OF_MACHINE, "/var/lib/digitd", check=False) == ""
    assert machine.run("find", "/etc/systemd", "/var/lib/systemd/deb-systemd-helper-enabled", "-name", "digitd*") == ""
