"""A real systemd runs the units: the sandbox lets the microphone through, and nothing else."""

import json
import select
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from tests.conftest import DEMO_DIGITS
from tests.systemd.box import CONFIG, DYING, TO_SOUND, WAIT_S, Box

pytestmark = [pytest.mark.microphone, pytest.mark.slow]
SOCKET = "/run/digitd/digitd.sock"
SERVICE, LISTENER = "digitd.service", "digitd.socket"
IN_GROUP = ["setpriv", "--reuid", "nobody", "--regid", "digitd", "--clear-groups"]
IN_NO_GROUP = ["setpriv", "--reuid", "nobody", "--regid", "nogroup", "--clear-groups"]
DROP_IN = "/etc/systemd/system/{}.d/one.conf"
HOOK = """#!/bin/sh
exec >>/run/digitd/hook 2>&1
python3 -c 'import socket; socket.socket(socket.AF_UNIX); print("local")'
python3 -c 'import socket; socket.socket()' || echo no network
cp /bin/true /run/digitd/true && /run/digitd/true || echo no program of its own
touch /etc/digitd/x || echo no writing
ls /root || echo no home
"""


@pytest.fixture
def machine(box: Box) -> Iterator[Box]:
    """The box, in which the service is stopped and as it was installed."""
    yield box
    box.run("systemctl", "stop", LISTENER, SERVICE)
    box.run(
        "rm", "-rf", *(DROP_IN.format(unit) for unit in (SERVICE, LISTENER)), "/run/digitd/hook", "/run/digitd/true"
    )
    box.run("systemctl", "daemon-reload")


class Reader:
    """A reader of the socket; it tries until somebody listens."""

    def __init__(self, box: Box, *user: str, path: str = SOCKET) -> None:
        command = box.command(*user, *DYING, "digitd", "watch", path)
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, bufsize=0)

    def until(self, kind: str) -> list[dict[str, object]]:
        """The events up to the first of a type."""
        assert self._process.stdout is not None
        events: list[dict[str, object]] = []
        while not events or events[-1]["type"] != kind:
            assert select.select([self._process.stdout], [], [], WAIT_S)[0], f"no {kind} came after {events}"
            events.append(json.loads(self._process.stdout.readline()))
        return events

    def close(self) -> None:
        """Leave."""
        self._process.kill()
        self._process.communicate()


def ready(box: Box, *user: str) -> None:
    """Let a reader come and get its `ready`."""
    reader = Reader(box, *user)
    reader.until("ready")
    reader.close()


def inode(box: Box) -> str:
    return box.run("stat", "--format=%i", SOCKET)


def test_words_reach_the_group_and_not_the_journal(machine: Box) -> None:
    machine.run("systemctl", "start", SERVICE)
    reader = Reader(machine, *IN_GROUP)
    reader.until("ready")
    machine.play()
    digits = [event["digit"] for event in reader.until("string") if event["type"] == "digit"]
    reader.close()
    assert "".join(map(str, digits)) == DEMO_DIGITS
    log = machine.log(SERVICE)
    assert "a reader of" in log
    assert '"type"' not in log
    assert DEMO_DIGITS not in log


def test_who_is_not_in_the_group_is_refused(machine: Box) -> None:
    machine.run("systemctl", "start", SERVICE)
    connect = f"import socket; socket.socket(socket.AF_UNIX).connect('{SOCKET}')"
    machine.run(*IN_GROUP, "python3", "-c", connect)
    command = machine.command(*IN_NO_GROUP, "python3", "-c", connect)
    refused = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "PermissionError" in refused.stderr


def test_a_reader_starts_the_service(machine: Box) -> None:
    machine.run("systemctl", "start", LISTENER)
    assert machine.show(SERVICE, "ActiveState") == "inactive"
    ready(machine)
    machine.until(lambda: machine.show(SERVICE, "ActiveState") == "active")


def test_the_socket_outlives_every_end_of_the_service(machine: Box) -> None:
    machine.run("systemctl", "start", SERVICE)
    before = inode(machine)
    machine.run("systemctl", "restart", SERVICE)
    ready(machine, *IN_GROUP)
    for restarts in range(1, 11):
        machine.run("systemctl", "kill", "--signal=KILL", "--kill-whom=main", SERVICE)
        machine.until(lambda n=restarts: machine.show(SERVICE, "NRestarts") == str(n))  # type: ignore[misc]
        machine.until(lambda: machine.show(SERVICE, "ActiveState") == "active")
    ready(machine, *IN_GROUP)
    machine.run("systemctl", "stop", SERVICE)
    assert machine.show(SERVICE, "Result") == "success"
    assert inode(machine) == before


def test_without_the_socket_unit_the_service_makes_its_own(machine: Box) -> None:
    machine.run("systemctl", "mask", "--runtime", LISTENER)
    machine.run("systemctl", "start", SERVICE)
    assert machine.run("stat", "--format=%U %G %a", SOCKET) == "digitd digitd 660\n"
    ready(machine, *IN_GROUP)
    machine.run("systemctl", "stop", SERVICE)
    machine.run("systemctl", "unmask", "--runtime", LISTENER)
    assert machine.run("ls", "/run/digitd") == ""


def test_another_group_of_the_socket_stays(machine: Box) -> None:
    machine.write(DROP_IN.format(LISTENER), "[Socket]\nSocketGroup=audio\n")
    machine.run("systemctl", "start", LISTENER)
    machine.run("systemctl", "start", SERVICE)
    assert machine.run("stat", "--format=%U %G %a", SOCKET) == "digitd audio 660\n"


def test_a_deaf_daemon_ends_in_order_and_is_started_again(machine: Box) -> None:
    machine.write(DROP_IN.format(SERVICE), "[Service]\nWatchdogSec=4\n")
    machine.run("systemctl", "start", SERVICE)
    reader = Reader(machine)
    reader.until("ready")
    machine.run("systemctl", "kill", "--signal=STOP", "sound.service")
    machine.until(lambda: machine.show(SERVICE, "NRestarts") == "1")
    reader.until("end")  # pending digits were published
    reader.close()
    machine.run("systemctl", "kill", "--signal=CONT", "sound.service")
    machine.until(lambda: machine.show(SERVICE, "ActiveState") == "active")
    ready(machine)


def test_a_broken_configuration_does_not_cost_the_socket(machine: Box) -> None:
    config = machine.run("cat", CONFIG)
    machine.write(CONFIG, "sinks = 7\n")
    machine.run("systemctl", "start", SERVICE, check=False)
    reader = Reader(machine)
    machine.until(lambda: machine.show(SERVICE, "NRestarts") >= "3")
    assert machine.show(LISTENER, "ActiveState") == "active"
    machine.write(CONFIG, config)
    reader.until("ready")
    reader.close()
    assert "sinks: 7 must be an array" in machine.log(SERVICE)


def test_a_reload_drops_nobody(machine: Box) -> None:
    machine.run("systemctl", "start", SERVICE)
    reader, pid = Reader(machine), machine.show(SERVICE, "MainPID")
    reader.until("ready")
    machine.run("systemctl", "reload", SERVICE)
    machine.play()
    reader.until("string")
    reader.close()
    assert machine.show(SERVICE, "MainPID") == pid


def test_a_hook_runs_in_the_sandbox(machine: Box) -> None:
    config = machine.run("cat", CONFIG)
    machine.write("/etc/digitd/hook", HOOK, mode="755")
    machine.write(CONFIG, config.replace("sinks = [", 'sinks = ["exec:/etc/digitd/hook", '))
    machine.run("systemctl", "start", SERVICE)
    machine.play()
    machine.until(lambda: "no home" in machine.run("cat", "/run/digitd/hook", check=False))
    machine.run("systemctl", "stop", SERVICE)
    machine.write(CONFIG, config)
    said = machine.run("cat", "/run/digitd/hook")
    assert [said.count(f"{line}\n") > 0 for line in ("local", "no network", "no writing", "no home")] == [True] * 4
    assert "no program of its own" in said


def test_a_user_runs_it_too(machine: Box) -> None:
    machine.run("useradd", "--create-home", "somebody")
    machine.run("install", "-d", "-o", "somebody", "-m", "700", "/run/somebody")
    home = ["HOME=/home/somebody", "XDG_RUNTIME_DIR=/run/somebody"]
    properties = [
        "User=somebody",
        "Delegate=yes",
        "Type=notify",
        *(f"Environment={value}" for value in home + TO_SOUND),
    ]
    options = [f"--property={value}" for value in properties]
    machine.run("systemd-run", "--unit=manager", *options, "/lib/systemd/systemd", "--user")
    user = ["setpriv", "--reuid", "somebody", "--regid", "somebody", "--init-groups", "env", *home]
    machine.run(*user, "systemctl", "--user", "start", SERVICE)
    reader = Reader(machine, *user, path="/run/somebody/digitd.sock")
    reader.until("ready")
    machine.play()
    reader.until("string")
    reader.close()
    assert machine.run("stat", "--format=%U %a", "/run/somebody/digitd.sock") == "somebody 600\n"
    machine.run("systemctl", "stop", "manager.service")


def test_uninstall_stops_and_disables_what_it_removes(boot: Callable[[], Box]) -> None:
    box = boot()
    box.run("systemctl", "enable", "--now", LISTENER)
    box.run("systemctl", "enable", SERVICE)
    script = (Path(__file__).parents[2] / "systemd/uninstall").read_text()
    box.run("bash", "-s", "/usr", "/etc", input=script)
    assert box.show(LISTENER, "LoadState") == "not-found"
    assert box.run("systemctl", "list-units", "--plain", "--no-legend", "digitd*") == ""
    assert (
        box.run("find", "/etc", "/usr", "/run", "-name", "*digitd*", "-not", "-path", "/run/systemd/*")
        == "/run/digitd\n"
    )
