"""Who is let in, how the server begins and ends, and what it keeps to itself."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from tests.conftest import DEMO_DIGITS
from tests.daemon.web_server import WITHIN_S, Web, digits, pcm16, say, told
from websockets.exceptions import InvalidStatus
from websockets.http11 import Request

from digitd.daemon.audio import Samples
from digitd.daemon.web.gate import Gate

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    server = Web("--no-live")
    yield server
    server.close()


def test_the_address_opens_the_page(web: Web) -> None:
    answer = web.get(f"/?{web.query}")
    assert answer.status == 200
    assert answer.text.startswith("<!doctype html>")
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    policy = answer.headers["Content-Security-Policy"]
    nonce = policy.partition("script-src 'nonce-")[2].partition("'")[0]
    assert answer.text.count(f'nonce="{nonce}"') == 2
    assert "unsafe" not in policy
    assert f"connect-src ws://{web.host} 'self'" in policy
    assert web.query not in answer.text


def test_each_answer_has_a_nonce_of_its_own(web: Web) -> None:
    policies = {web.get(f"/?{web.query}").headers["Content-Security-Policy"] for _ in range(2)}
    assert len(policies) == 2


@pytest.mark.parametrize("query", ["", "token=", "token=wrong", "token=%ff", "token", "a&b&c&d&e&f", "ticket=wrong"])
def test_without_the_token_nobody_is_let_in(web: Web, query: str) -> None:
    answer = web.get(f"/?{query}")
    assert answer.status == 403
    assert "Not let in" in answer.text
    for path in ("/live", "/speak"):
        with pytest.raises(InvalidStatus) as refused:
            web.socket(path, query=query)
        assert refused.value.response.status_code == 403


def test_a_token_that_is_nearly_right_or_given_twice_is_wrong(web: Web) -> None:
    assert web.get(f"/?{web.query[:-1]}").status == 403
    assert web.get(f"/?{web.query}x").status == 403
    assert web.get(f"/?{web.query}&token=x").status == 403


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "https://{host}", "http://localhost:1", None])
def test_a_page_of_another_site_opens_no_socket(web: Web, origin: str | None) -> None:
    for path in ("/live", "/speak"):
        with pytest.raises(InvalidStatus) as refused:
            web.socket(path, origin=origin.format(host=web.host) if origin else None)
        assert refused.value.response.status_code == 403


def test_a_page_of_another_site_reads_no_page(web: Web) -> None:
    assert web.get(f"/?{web.query}", Origin="http://evil.example").status == 403


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "evil@127.0.0.1", "192.0.2.1:80", "[", ""])
def test_a_name_that_was_made_to_point_here_is_refused(web: Web, host: str) -> None:
    assert web.get(f"/?{web.query}", Host=host).status == 421


@pytest.mark.parametrize("host", ["localhost:9", "127.0.0.1", "[::1]:9000", "LOCALHOST"])
def test_this_machine_s_names_are_taken_on_any_port_for_it_may_be_forwarded(web: Web, host: str) -> None:
    answer = web.get(f"/?{web.query}", Host=host)
    assert answer.status == 200
    assert f"ws://{host} " in answer.headers["Content-Security-Policy"]


def test_there_is_nothing_else(web: Web) -> None:
    assert web.get(f"/etc/passwd?{web.query}").status == 404
    assert web.get(f"/../page.html?{web.query}").status == 404
    assert web.get(f"/live?{web.query}", Origin=f"http://{web.host}").status == 426


@pytest.mark.parametrize(
    "sent",
    [
        b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"\r\n\r\n",
        b"\0" * 70000,
        b"GET /" + b"x" * 20000,
        b"\x16\x03\x01\x02\x00\x01",
    ],
    ids=lambda sent: repr(sent[:20]),
)
def test_what_is_no_request_gets_nothing(web: Web, sent: bytes) -> None:
    host, _, port = web.host.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=WITHIN_S) as client:
        client.sendall(sent)
        client.shutdown(socket.SHUT_WR)
        answer = b""
        with suppress(ConnectionResetError):
            while more := client.recv(65536):
                answer += more
    assert b"200" not in answer.partition(b"\r\n")[0]
    assert web.get(f"/?{web.query}").status == 200


def test_a_ticket_lets_in_once() -> None:
    gate = Gate()
    request = Request(f"/?{gate.ticket()}", {})  # type: ignore[arg-type]
    assert gate.takes_ticket(request)
    assert not gate.takes_ticket(request)
    assert not gate.takes_ticket(Request("/?ticket=", {}))  # type: ignore[arg-type]


def test_open_hands_the_browser_an_address_that_is_spent_with_its_first_use(tmp_path: Path) -> None:
    opener = tmp_path / "xdg-open"
    opener.write_text(f'#!/bin/sh\necho "$1" > {tmp_path}/part && mv {tmp_path}/part {tmp_path}/url\n')
    opener.chmod(0o755)
    web = Web("--no-live", "--open", PATH=f"{tmp_path}:{os.environ['PATH']}")
    try:
        until_s = time.monotonic() + WITHIN_S
        while not (tmp_path / "url").exists():
            assert time.monotonic() < until_s
            time.sleep(0.02)
        path = (tmp_path / "url").read_text().strip().removeprefix(f"http://{web.host}")
        assert web.query.removeprefix("token=") not in path
        answer = web.get(path)
        assert (answer.status, answer.headers["Location"]) == (303, f"/?{web.query}")
        assert web.get(path).status == 403
        web.end()
    finally:
        web.close()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_and_tells_who_speaks(number: signal.Signals, demo: Samples) -> None:
    web = Web("--no-live")
    try:
        with web.speaking() as client:
            client.send(pcm16(demo[:9600]))
            began_s = time.monotonic()
            web.end(number)
            assert time.monotonic() - began_s < 3
            told(client)
            assert client.close_code == 1001
    finally:
        web.close()


def test_neither_the_token_nor_digits_get_into_the_log(demo: Samples) -> None:
    web = Web("--no-live", "--secret", "--log-level", "debug")
    try:
        with web.speaking() as client:
            say(client, pcm16(demo), 3200)
            client.send(json.dumps({"end": True}))
            assert digits(told(client)) == DEMO_DIGITS
        assert web.get(f"/?{web.query}").status == 200
        assert web.get(f"/?{web.query}x").status == 403
        log = web.end()
    finally:
        web.close()
    assert "refused" in log
    assert web.query.removeprefix("token=") not in log
    assert "digit 3" not in log
    assert DEMO_DIGITS not in log


def test_a_port_that_is_taken_is_told(web: Web, digitd: Run) -> None:
    port = web.host.rpartition(":")[2]
    ended = digitd("web", "--no-live", "--port", port)
    assert (ended.returncode, ended.stdout) == (2, "")
    why = f"--port 127.0.0.1:{port}: it cannot be listened on (Address already in use)"
    assert ended.stderr == f"digitd: error: {why}; name another, or 0 for any\n"


@pytest.mark.parametrize(
    ("flags", "told_of"),
    [
        (["--host", "0.0.0.0"], "--host 0.0.0.0: not loopback"),  # noqa: S104 - it must not
        (["--host", "192.0.2.1"], "--host 192.0.2.1: not loopback"),
        (["--port", "65536"], "--port 65536: no port"),
        (["--port", "-1"], "--port -1: no port"),
        (["--speakers", "0"], "--speakers 0: "),
        (["--speakers", "65"], "--speakers 65: "),
        (["--mode", "loud"], "mode"),
        (["--model", "nobody"], "nobody"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(digitd: Run, flags: list[str], told_of: str) -> None:
    ended = digitd("web", "--no-live", *flags)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert len(ended.stderr.splitlines()) == 1
    assert told_of in ended.stderr


def test_the_other_loopback_is_served_too(demo: Samples) -> None:
    if not socket.has_ipv6:
        pytest.fail("Python without IPv6")
    web = Web("--no-live", "--host", "::1")
    try:
        assert web.host.startswith("[::1]:")
        assert web.get(f"/?{web.query}").status == 200
        with web.speaking() as client:
            client.send(pcm16(demo))
            client.send(json.dumps({"end": True}))
            assert digits(told(client)) == DEMO_DIGITS
    finally:
        web.close()
