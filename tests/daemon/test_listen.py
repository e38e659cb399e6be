"""`digitd listen`: a view of a real daemon's socket, driven by textual's own pilot."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, closing
from pathlib import Path

import pytest
from tests.conftest import DEMO, DEMO_DIGITS
from tests.daemon.conftest import Daemon
from textual.pilot import Pilot

from digitd.daemon.attached import Attachment, attached
from digitd.daemon.audio import Samples
from digitd.daemon.events import Body, Digit, End, Ready, Rejected, SourceState, Stamp
from digitd.daemon.listen.app import ListenApp
from digitd.daemon.listen.glyphs import ASCII, UNICODE, Glyphs
from digitd.daemon.listen.inbox import Inbox
from digitd.daemon.listen.lines import Trouble
from digitd.daemon.listen.panel import Panel
from digitd.daemon.tap import Tap

WITHIN_S = 20.0
SIZES = [
    (80, 24),
    (200, 60),
    (56, 18),
    (55, 17),
    (40, 12),
    (40, 11),
    (30, 8),
    (20, 6),
    (12, 3),
    (12, 1),
    (3, 2),
    (1, 1),
]
READY = Ready("stranger", "cpu", "mic", "always")


class View:
    """The app, its keys, and what stands on its screen."""

    def __init__(self, app: ListenApp, pilot: Pilot[None]) -> None:
        self.app, self.pilot = app, pilot

    async def until(self, there: Callable[[], bool]) -> None:
        """Wait until it is so."""
        async with asyncio.timeout(WITHIN_S):
            while not there():
                await self.pilot.pause(0.02)

    async def shows(self, *wanted: str) -> None:
        """Wait until it stands on the screen."""
        try:
            await self.until(lambda: all(text in self.screen() for text in wanted))
        except TimeoutError:
            raise AssertionError(f"{wanted} is not on\n{self.screen()}") from None

    def screen(self) -> str:
        """All of it."""
        return "\n".join(self.rows())

    def rows(self) -> list[str]:
        """From above; where two panels stood on one another, it would be seen."""
        width, height = self.app.size
        cells = [[" "] * width for _ in range(height)]
        for panel in self.app.query(Panel):
            for y in range(min(panel.region.height, height - panel.region.y) if panel.display else 0):
                row, begin = cells[panel.region.y + y], panel.region.x
                assert not "".join(row[begin : begin + panel.region.width]).strip()
                row[begin : begin + panel.region.width] = panel.render_line(y).text
        return ["".join(row) for row in cells]


@asynccontextmanager
async def viewing(
    attachment: Attachment, glyphs: Glyphs = UNICODE, size: tuple[int, int] = (80, 24)
) -> AsyncIterator[View]:
    with closing(Tap(attachment)) as tap:
        tap.look(wanted=True)
        tap.open((inbox := Inbox()).outlook)
        app = ListenApp(tap, inbox, glyphs)
        async with app.run_test(size=size) as pilot:
            yield View(app, pilot)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


@pytest.fixture
def daemon(path: Path) -> Iterator[Daemon]:
    running = Daemon("--sink", f"unix:{path}")
    running.until(type="ready")
    yield running
    running.close()


class FakeDaemon:
    """A socket that sends just what it is told to, and one stream's numbers."""

    def __init__(self, path: Path) -> None:
        self._stamp = Stamp("mic")
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._listener.settimeout(WITHIN_S)
        self.client: socket.socket | None = None

    def send(self, *bodies: Body) -> None:
        """Events."""
        self.send_lines(*(self._stamp.event(body).to_json() for body in bodies))

    def lose(self, body: Body) -> None:
        """An event that is published and does not come."""
        self._stamp.event(body)

    def glimpse(self, at_s: float, **changed: object) -> None:
        """A glimpse, quiet but for what is `changed`."""
        table = {"v": 1, "type": "glimpse", "stream": "mic", "at_s": at_s, "level_dbfs": -60.0, "floor_dbfs": -70.0}
        table |= {"clipping": False, "speech": False, "mel": [], "posteriors": {}}
        self.send_lines(json.dumps(table | changed))

    def send_lines(self, *lines: str) -> None:
        """As they are."""
        if self.client is None:
            self.client, _ = self._listener.accept()
            self.client.settimeout(WITHIN_S)
        self.client.sendall("".join(f"{line}\n" for line in lines).encode())

    def asked(self) -> object:
        """The next request."""
        assert self.client is not None
        line = b""
        while not line.endswith(b"\n"):
            sent = self.client.recv(1)
            assert sent, "it has left"
            line += sent
        return json.loads(line)

    def close(self) -> None:
        """Gone."""
        if self.client is not None:
            self.client.close()
        self._listener.close()


@pytest.fixture
def fake(path: Path) -> Iterator[FakeDaemon]:
    daemon = FakeDaemon(path)
    yield daemon
    daemon.close()


def test_the_demo_at_its_own_pace_from_the_first_digit_to_the_end() -> None:
    async def look(attachment: Attachment) -> None:
        async with viewing(attachment) as view:
            await view.shows("mode always model stranger on cpu", "speech", "dBFS  noise")
            await view.shows("median", f"heard     {' '.join(DEMO_DIGITS[:3])}")
            assert max(view.app.hearing.posteriors.values()) > 0.2
            assert {*"".join(view.rows()[2:12])} - {" "}
            await view.shows("the source has ended", f"strings   {DEMO_DIGITS}")
            hearing = view.app.hearing
            assert "".join(word.label for word in hearing.words if word.is_digit) == DEMO_DIGITS
            assert 0 < hearing.median_s < 0.4
            assert not hearing.notices
            assert hearing.floor_dbfs < -50
            assert view.screen().count("██") > 5 * 8
            await view.pilot.press("q")
        assert view.app.return_code == 0

    with attached(None, ["--source", str(DEMO), "--pace", "realtime"]) as attachment:
        asyncio.run(look(attachment))


def test_each_digit_stands_beneath_its_word(daemon: Daemon, path: Path, demo: Samples) -> None:
    async def look() -> None:
        async with viewing(Attachment(path), size=(160, 24)) as view:
            await view.shows("mode always")
            daemon.feed(demo)
            await view.until(lambda: len(view.app.hearing.words) >= len(DEMO_DIGITS))
            await view.shows(f"heard     {' '.join(DEMO_DIGITS)}")
            await view.pilot.pause(0.1)
            track = next(row for row in view.rows() if "▔" in row)
            picture = view.app.hearing.picture
            for word in view.app.hearing.words:
                place = picture.place(word.middle_s, 160)
                assert track[place] == word.label
                assert picture.shades(160, 1)[0, place] > 50

    asyncio.run(look())


def test_the_mode_is_switched_for_all_and_shown(daemon: Daemon, path: Path, demo: Samples) -> None:
    async def look() -> None:
        async with viewing(Attachment(path)) as view:
            for before, after in (("always", "entry"), ("entry", "always")):
                await view.shows(f"mode {before} model")
                await view.pilot.press("m")
                await view.shows(f"mode {before} > {after}")
                until = asyncio.create_task(asyncio.to_thread(daemon.until, type="ready", mode=after))
                while not until.done():  # it comes with the next audio
                    daemon.feed(demo[:3200])
                    await view.pilot.pause(0.05)
                await view.shows(f"mode {after} model")

    asyncio.run(look())


def test_it_follows_the_daemon_through_its_restarts_and_tells_what_is_missed(path: Path, demo: Samples) -> None:
    async def look() -> None:
        first = Daemon("--sink", f"unix:{path}")
        async with viewing(Attachment(path)) as view:
            await view.shows("mode always")
            assert not view.app.query_one(Trouble).display
            first.feed(demo)
            await view.shows("heard     3 1")
            first.close()
            await view.shows(f"{path.name}: gone, trying")
            assert not view.app.hearing.posteriors
            second = Daemon("--sink", f"unix:{path}", "--mode", "entry")
            await view.shows("starts anew (seq 0)", "mode entry")
            assert not view.app.query_one(Trouble).display
            n_before = len(view.app.hearing.words)
            second.feed(demo)
            await view.until(lambda: len(view.app.hearing.words) > n_before)
            old, new = view.app.hearing.words[n_before - 1], view.app.hearing.words[n_before]
            assert (new.stream, new.string) > (old.stream, old.string)
            second.close()

    asyncio.run(look())


def test_what_is_lost_is_told_and_the_picture_does_not_mind(fake: FakeDaemon, path: Path) -> None:
    async def look() -> None:
        async with viewing(Attachment(path)) as view:
            fake.send(READY, Digit("7", 0.98, 1.2, 1.6, 1.8))
            fake.lose(Digit("8", 0.98, 2.2, 2.6, 2.8))
            fake.send(Rejected("9", 0.43, 3.2, 3.6, 3.8), Digit("1", 0.51, 4.0, 4.2, 4.3))
            await view.shows("heard     7 9? 1", "51%", "missed 1 event (seq 2)", "no digit 1", "median 0.15 s of 2")

    asyncio.run(look())


@pytest.mark.parametrize(
    ("state", "told"),
    [
        ("lost", "the source is lost"),
        ("stalled", "the source sends nothing"),
        ("silent", "is it muted?"),
        ("clipping", "turn it down"),
    ],
)
def test_a_source_in_trouble_is_told_until_it_is_back(fake: FakeDaemon, path: Path, state: str, told: str) -> None:
    async def look() -> None:
        async with viewing(Attachment(path)) as view:
            fake.send(READY, SourceState(state, 0.0, 1.0))  # type: ignore[arg-type]
            await view.shows(told)
            fake.send(SourceState("overrun", 0.25, 1.5), SourceState("back", 0.0, 2.0))
            await view.until(lambda: not view.app.query_one(Trouble).display)
            await view.shows("0.25 s of sound were lost")
            fake.send(End(3.0))
            await view.shows("the source has ended")

    asyncio.run(look())


def test_frozen_it_stands_still_and_then_shows_what_was_said(fake: FakeDaemon, path: Path) -> None:
    async def look() -> None:
        async with viewing(Attachment(path)) as view:
            fake.send(READY, Digit("7", 0.98, 0.2, 0.6, 0.8))
            fake.glimpse(1.0, mel=[[200] * 40] * 10, speech=True)
            await view.shows("heard     7", "speech", "0:01")
            assert fake.asked() == {"glimpses": True}
            before = view.rows()
            await view.pilot.press("space")
            assert fake.asked() == {"glimpses": False}
            fake.send(Digit("8", 0.98, 5.2, 5.6, 5.8))
            await view.shows("FROZEN", "go on")
            await view.pilot.pause(0.3)
            assert view.rows()[1:-1] == before[1:-1]
            await view.pilot.press("space")
            assert fake.asked() == {"glimpses": True}
            await view.shows("heard     7 8", "freeze")
            assert "FROZEN" not in view.screen()

    asyncio.run(look())


def test_cleared_it_begins_again(fake: FakeDaemon, path: Path) -> None:
    async def look() -> None:
        async with viewing(Attachment(path)) as view:
            fake.send(READY, Digit("7", 0.98, 0.2, 0.6, 0.8))
            fake.glimpse(1.0, mel=[[255] * 40] * 10, speech=True)
            await view.shows("heard     7", "0.20 s", "██  ")
            await view.pilot.press("c")
            assert "heard      " in view.screen()
            assert "0.20 s" not in view.screen()
            assert not view.app.hearing.picture.shades(80, 20).any()
            fake.send(Digit("8", 0.98, 5.2, 5.6, 5.9))
            await view.shows("heard     8", "median 0.30 s of 1")

    asyncio.run(look())


def test_a_large_view_is_drawn_for_every_second_glimpse_and_for_every_event(fake: FakeDaemon, path: Path) -> None:
    async def look() -> None:
        async with viewing(Attachment(path), size=(200, 60)) as view:
            shown = []
            for second in range(1, 7):
                fake.glimpse(float(second))
                await view.until(lambda at_s=second: view.app.hearing.at_s == at_s)  # type: ignore[misc]
                await view.pilot.pause()
                shown.append(view.rows()[0].rpartition(":")[2])
            assert len(set(shown)) in (3, 4)
            for label in "123456":
                fake.send(Digit(label, 0.98, 5.2, 5.6, 7.0))
                await view.shows(f"{label}  98%")

    asyncio.run(look())


def test_help_comes_and_goes_and_the_view_goes_on(fake: FakeDaemon, path: Path) -> None:
    async def look() -> None:
        async with viewing(Attachment(path)) as view:
            fake.send(READY)
            await view.shows("mode always")
            await view.pilot.press("?")
            await view.until(lambda: len(view.app.screen_stack) == 2)
            fake.send(Digit("8", 0.98, 5.2, 5.6, 5.9))
            await view.until(lambda: len(view.app.hearing.words) == 1)
            await view.pilot.press("q")  # back, not quit
            await view.until(lambda: len(view.app.screen_stack) == 1)
            await view.shows("heard     8")

    asyncio.run(look())


@pytest.mark.parametrize("glyphs", [UNICODE, ASCII], ids=["unicode", "ascii"])
def test_every_size_shows_whole_rows_and_the_digits(fake: FakeDaemon, path: Path, glyphs: Glyphs) -> None:
    async def look() -> None:
        async with viewing(Attachment(path), glyphs) as view:
            fake.send(Ready("stranger", "cpu", "Mikrofon für \x1b[31m", "always"))
            for digit in DEMO_DIGITS:
                fake.send(Digit(digit, 0.98, 0.1, 0.2, 0.4), Rejected(digit, 0.4, 0.5, 0.6, 0.9))
            fake.glimpse(1.0, mel=[[255, 128] * 20] * 10, speech=True, clipping=True, posteriors={"5": 0.97, "10": 0.3})
            await view.shows("CLIP", "2?")
            for width, height in SIZES:
                await view.pilot.resize_terminal(width, height)
                await view.until(lambda size=(width, height): view.app.size == size)  # type: ignore[misc]
                await view.pilot.pause()
                rows = view.rows()
                assert {len(row) for row in rows} == {width}
                assert rows[-1].startswith("q quit"[:width]) or height < 8
                assert width < 12 or "2 2?" in view.screen()
                assert "\x1b" not in view.screen()
                assert glyphs is UNICODE or view.screen().isascii()

    asyncio.run(look())


def test_what_is_no_daemon_ends_the_view_with_its_reason(fake: FakeDaemon, path: Path) -> None:
    async def look() -> None:
        async with viewing(Attachment(path)) as view:
            fake.send_lines("HTTP/1.1 200 OK")
            await view.until(lambda: not view.app.is_running)
        assert "is no event of schema 1" in view.app.hearing.refusal

    asyncio.run(look())
