"""The page in a real browser: spoken into, watched, on small screens, by keyboard alone."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from tests.conftest import DEMO_DIGITS
from tests.daemon.room import listening
from tests.daemon.web_server import Web

from digitd.daemon.audio import Samples

CHROMIUM = "/usr/bin/chromium"
WITHIN_MS = 20_000
DESKTOP, PHONE, SMALLEST = (
    {"width": 1280, "height": 800},
    {"width": 390, "height": 844},
    {"width": 320, "height": 568},
)

expect.set_options(timeout=WITHIN_MS)


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory, demo: Samples) -> Iterator[Browser]:
    """Chromium, whose microphone hears the demo once each time it is opened."""
    spoken = tmp_path_factory.mktemp("microphone") / "demo.wav"
    quiet = np.random.default_rng(1).normal(0, 0.0005, 16000).astype(np.float32)
    soundfile.write(spoken, np.concatenate([quiet, demo, quiet, quiet]), 16000, subtype="PCM_16")
    flags = ["--no-sandbox", "--use-fake-device-for-media-stream", f"--use-file-for-fake-audio-capture={spoken}%noloop"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def web() -> Iterator[Web]:
    server = Web("--no-live")
    yield server
    server.close()


@contextmanager
def opened(browser: Browser, url: str, complaints: list[str] | None = None, **options: object) -> Iterator[Page]:
    """A page that is open; what the browser complains of fails it (a breach of the policy, say) or is gathered."""
    told: list[str] = [] if complaints is None else complaints
    context: BrowserContext = browser.new_context(**{"viewport": DESKTOP, "permissions": ["microphone"], **options})  # type: ignore[arg-type]
    page = context.new_page()
    page.on("console", lambda message: told.append(message.text))
    page.on("pageerror", lambda error: told.append(str(error)))
    page.goto(url)
    try:
        yield page
    finally:
        context.close()
    assert complaints is not None or told == []


def large(page: Page) -> str:
    return "".join(page.locator("#tape b").all_inner_texts())


def test_what_is_spoken_into_the_browser_stands_on_the_page(browser: Browser, web: Web) -> None:
    with opened(browser, web.url) as page:
        expect(page.get_by_label("Speak here")).to_be_checked()  # for there is no daemon
        expect(page.get_by_label("entry")).to_be_checked()
        page.get_by_role("button", name="Start speaking").click()
        expect(page.get_by_role("status")).to_have_text("hears this browser (stranger, cpu)")
        expect(page.locator("#tape b")).to_have_count(len(DEMO_DIGITS))
        assert large(page) == DEMO_DIGITS
        expect(page.locator("#history li b")).to_have_text([DEMO_DIGITS])
        expect(page.locator("#spoken")).to_have_text(f"number {' '.join(DEMO_DIGITS)}")
        expect(page.locator("#latency")).to_have_text(re.compile(r"latency, median 0\.\d\d s"))
        page.get_by_label("always").check()
        expect(page.get_by_label("always")).to_be_checked()
        page.get_by_role("button", name="Stop").click()
        expect(page.get_by_role("status")).to_have_text("stopped")
        expect(page.get_by_role("button", name="Start speaking")).to_be_enabled()
        expect(page.get_by_role("alert")).to_be_hidden()


def test_the_live_view_shows_what_a_daemon_hears(browser: Browser, demo: Samples, tmp_path: Path) -> None:
    with listening(tmp_path / "digitd.sock", "--mode", "entry") as (daemon, room):
        web = Web(str(tmp_path / "digitd.sock"))
        try:
            with opened(browser, web.url) as page:
                expect(page.get_by_role("status")).to_have_text("hears standard input (stranger, cpu)")
                expect(page.locator("#heard")).to_have_text(re.compile("^quiet, -[67]"))
                room.say(demo)
                expect(page.locator("#history li b")).to_have_text([DEMO_DIGITS])
                assert large(page) == DEMO_DIGITS
                assert shades(page) > 100
                page.get_by_label("always").check()
                daemon.until(type="ready", mode="always")
                with opened(browser, web.url, viewport=PHONE) as later:
                    expect(later.locator("#history li b")).to_have_text([DEMO_DIGITS])
                    expect(later.get_by_label("always")).to_be_checked()
                daemon.process.kill()
                expect(page.get_by_role("alert")).to_contain_text("trying again")
        finally:
            web.close()


def shades(page: Page) -> int:
    """Different colours of the spectrogram."""
    count: int = page.locator("#spectrogram").evaluate(
        "canvas => new Set(new Uint32Array(canvas.getContext('2d')"
        ".getImageData(0, 0, canvas.width, canvas.height).data.buffer)).size"
    )
    return count


def test_a_microphone_that_is_not_given_is_told(browser: Browser, web: Web) -> None:
    with opened(browser, web.url, permissions=[]) as page:
        page.get_by_role("button", name="Start speaking").click()
        expect(page.get_by_role("alert")).to_contain_text("allow it for this page")
        expect(page.get_by_role("button", name="Start speaking")).to_be_enabled()


def test_the_token_leaves_the_address_bar_and_a_reload_still_opens_the_page(browser: Browser, web: Web) -> None:
    with opened(browser, web.url, complaints=[]) as page:
        expect(page).to_have_url(f"http://{web.host}/")
        expect(page.get_by_role("status")).to_have_text("ready to listen")
        page.reload()  # refused first, which is complained of
        expect(page.get_by_role("status")).to_have_text("ready to listen")
        expect(page).to_have_url(f"http://{web.host}/")
        assert page.evaluate("document.cookie") == ""


@pytest.mark.parametrize("query", ["", "?token=wrong"])
def test_who_has_no_token_is_told_where_to_find_it(browser: Browser, web: Web, query: str) -> None:
    with opened(browser, f"http://{web.host}/{query}", complaints=[]) as page:
        expect(page.get_by_role("heading")).to_have_text("Not let in")
        expect(page.get_by_role("main")).to_contain_text("the whole address that digitd web printed")


@pytest.mark.parametrize("viewport", [DESKTOP, PHONE, SMALLEST], ids=lambda size: str(size["width"]))
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_hangs_over_the_edge(browser: Browser, web: Web, viewport: dict[str, int], scheme: str) -> None:
    with opened(browser, web.url, viewport=viewport, color_scheme=scheme) as page:
        expect(page.get_by_role("button", name="Start speaking")).to_be_visible()
        page.evaluate(TAPE)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        last = page.locator("#tape li").last.bounding_box()
        assert last is not None
        assert last["x"] + last["width"] <= viewport["width"]


TAPE = """() => {
  for (const digit of "123456789012") page.take("browser", { type: "digit", digit, confidence: 1, start_s: 0, end_s: 0,
    emitted_s: 0 });
}"""


def test_it_is_used_by_keyboard_alone(browser: Browser, web: Web) -> None:
    with opened(browser, web.url) as page:
        expect(page.get_by_label("Speak here")).to_be_checked()
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_label("Live")).to_be_checked()
        expect(page.get_by_role("alert")).to_be_visible()
        page.keyboard.press("ArrowRight")
        page.keyboard.press("Tab")
        page.keyboard.press("ArrowLeft")
        expect(page.get_by_label("always")).to_be_checked()
        page.keyboard.press("Tab")
        page.keyboard.press("Space")
        expect(page.get_by_role("button", name="Show digits")).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Enter")
        expect(page.get_by_role("button", name="Stop")).to_be_focused()


def test_secret_digits_are_veiled_until_somebody_asks(browser: Browser) -> None:
    web = Web("--no-live", "--secret")
    try:
        with opened(browser, web.url) as page:
            expect(page.get_by_role("button", name="Show digits")).to_be_visible()
            page.evaluate(TAPE)
            assert large(page) == "•" * 12
            expect(page.locator("#spoken")).to_have_text("a digit")
            page.get_by_role("button", name="Show digits").click()
            assert large(page) == "123456789012"
    finally:
        web.close()


def test_a_server_that_has_ended_or_begun_anew_is_told(browser: Browser) -> None:
    web = Web("--no-live")
    try:
        with opened(browser, web.url, complaints=[]) as page:
            page.get_by_label("Live").check()
            web.end()
            expect(page.get_by_role("alert")).to_contain_text("does not answer")
            web = Web("--no-live", "--port", web.host.rpartition(":")[2])
            expect(page.get_by_role("alert")).to_contain_text("started anew")
    finally:
        web.close()


def test_who_likes_it_still_gets_no_gliding(browser: Browser, web: Web) -> None:
    with opened(browser, web.url, reduced_motion="reduce") as page:
        page.evaluate(TAPE)
        page.evaluate(
            "page.take('browser', {type: 'glimpse', at_s: 1, level_dbfs: -20, floor_dbfs: -60, mel: ["
            "[0, 128, 255], [255, 128, 0]], posteriors: {}})"
        )
        assert page.locator("#tape li b").last.evaluate("b => getComputedStyle(b).animationName") == "none"
        assert page.evaluate("[page.spectrogram.atS, Boolean(page.spectrogram.rolling)]") == [1, False]
