"""Pages as people open them: in a headless Chromium, as files, on a phone and on a desk, light and dark."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from reports.compare import write_comparison
from reports.leaderboard import write_leaderboard
from reports.report import write_report
from tests.reports.made import ALL_KINDS, made_competition, made_probs, made_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium: apt-get install chromium (make test does it where it may)")

PHONE, DESK = (360, 740), (1280, 900)
LONG = "a name without any place to break it that is longer than a phone is wide".replace(" ", "_")
LIGHTNESS = """() => {
  const [r, g, b] = getComputedStyle(document.body).backgroundColor.match(/[0-9.]+/g).map(Number);
  return (r + g + b) / 3;
}"""
UNLOADED = "() => [...document.images].filter(image => !image.complete || image.naturalWidth === 0).length"
TOO_WIDE = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const wide = [...document.querySelectorAll("body *")].filter(one => one.getBoundingClientRect().right > width + 1);
  return ["scrolls to " + document.documentElement.scrollWidth, ...wide.map(one => one.tagName + "." + one.getAttribute("class"))];
}"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    flags = ["--disable-dev-shm-usage", *(["--no-sandbox"] if os.geteuid() == 0 else [])]
    with sync_playwright() as started:
        opened = started.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A page of each kind of task, a comparison and a leaderboard."""
    found = {}
    for kind in ALL_KINDS:
        contest = made_competition(kind)
        run = made_run(tmp_path_factory.mktemp("made") / "runs", contest)
        found[kind] = write_report(run, contest)
    contest = made_competition("multiclass", classes=(LONG, "<b>bold</b>", "c"))
    runs = tmp_path_factory.mktemp("several") / "runs"
    several = [made_run(runs, contest, name, probs=made_probs(contest, seed), seed=seed) for seed, name in enumerate(("one", LONG[:60]))]
    return found | {
        "names": write_report(several[0], contest),
        "compare": write_comparison(several, contest),
        "leaderboard": write_leaderboard("", runs),
    }


@pytest.fixture
def tab(browser: Browser) -> Iterator[Page]:
    """A window of which nothing is complained in the console, and that asks nobody for anything."""
    context = browser.new_context(viewport={"width": DESK[0], "height": DESK[1]}, reduced_motion="reduce")
    tab, faults = context.new_page(), list[str]()
    tab.on("console", lambda message: faults.append(message.text) if message.type in ("error", "warning") else None)
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("request", lambda asked: None if asked.url.startswith(("file:", "data:")) else faults.append(asked.url))
    yield tab
    context.close()
    assert not faults


@pytest.mark.parametrize("which", [*ALL_KINDS, "names", "compare", "leaderboard"])
def test_a_page_is_whole_on_a_phone_and_a_desk_light_and_dark(which: str, pages: dict[str, Path], tab: Page) -> None:
    tab.goto(pages[which].as_uri())
    for width, height in (PHONE, DESK):
        tab.set_viewport_size({"width": width, "height": height})
        for theme in ("light", "dark"):
            tab.emulate_media(color_scheme=theme)
            assert tab.evaluate(UNLOADED) == 0
            assert tab.evaluate(TOO_WIDE) == []
            assert (tab.evaluate(LIGHTNESS) > 128) == (theme == "light")
            if keep := os.environ.get("SCREENSHOTS"):
                tab.screenshot(path=Path(keep) / f"{which}-{width}-{theme}.png", full_page=True)


def test_a_table_is_sorted_by_a_click_and_by_a_key(pages: dict[str, Path], tab: Page) -> None:
    tab.goto(pages["multiclass"].as_uri())
    table = tab.locator("table.sortable", has=tab.get_by_role("columnheader", name="precision")).first
    cells = table.locator("tbody tr td:nth-child(5)")
    before = cells.all_inner_texts()
    head = table.get_by_role("columnheader", name="recall")
    assert head.get_attribute("aria-sort") == "none"
    head.get_by_role("button").click()
    assert head.get_attribute("aria-sort") == "descending"
    assert cells.all_inner_texts() == sorted(before, reverse=True)
    head.get_by_role("button").press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert cells.all_inner_texts() == sorted(before)
    name = table.get_by_role("columnheader", name="class")
    name.get_by_role("button").focus()
    tab.keyboard.press("Space")
    assert (name.get_attribute("aria-sort"), head.get_attribute("aria-sort")) == ("ascending", "none")
    assert table.locator("tbody tr td:nth-child(1)").all_inner_texts() == ["cat", "dog", "new whale"]


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_links_lead_to_their_headings(size: tuple[int, int], pages: dict[str, Path], tab: Page) -> None:
    tab.set_viewport_size({"width": size[0], "height": size[1]})
    tab.goto(pages["ordinal"].as_uri())
    links = tab.locator("nav a")
    assert links.count() > 8
    for place in (1, links.count() // 2, 3):
        links.nth(place).click()
        heading = tab.locator(str(links.nth(place).get_attribute("href")))
        box = heading.bounding_box()
        assert box is not None
        assert 0 <= box["y"] < size[1], "it is to be seen"
        assert heading.inner_text() == links.nth(place).inner_text()


def test_the_first_key_offers_to_skip_to_the_content(pages: dict[str, Path], tab: Page) -> None:
    tab.goto(pages["binary"].as_uri())
    tab.keyboard.press("Tab")
    assert tab.evaluate("document.activeElement.className") == "skip"
    tab.keyboard.press("Enter")
    assert tab.evaluate("document.activeElement.id") == "main"


def test_the_theme_can_be_chosen(pages: dict[str, Path], tab: Page) -> None:
    tab.emulate_media(color_scheme="light")
    tab.goto(pages["binary"].as_uri())
    button = tab.locator("#theme")
    assert button.inner_text() == "Dark"
    button.click()
    assert tab.evaluate(LIGHTNESS) < 128
    ink = "() => getComputedStyle(document.querySelector('.drawing svg text')).fill"
    assert tab.evaluate(ink) == tab.evaluate("() => getComputedStyle(document.body).color")
    button.press("Enter")
    assert tab.evaluate(LIGHTNESS) > 128


def test_print_leaves_out_what_paper_cannot_do(pages: dict[str, Path], tab: Page) -> None:
    tab.goto(pages["multilabel"].as_uri())
    tab.emulate_media(media="print", color_scheme="dark")
    assert not tab.locator("nav").is_visible()
    assert tab.evaluate(LIGHTNESS) > 128
    tab.evaluate("document.documentElement.dataset.theme = 'dark'")  # by its button
    assert tab.evaluate(LIGHTNESS) > 128
