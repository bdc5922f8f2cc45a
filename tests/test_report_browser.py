"""report.html in a real Chromium with the network off: quiet, self-contained, sortable, no wider than its window."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browser import PHONE, WIDE, chromium, opened
from tiny import start, write_photos

SPEED = "table:has(caption span:text-is('Speed of every artefact at every batch size'))"


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("report")
    labels = write_photos(folder / "val", [0, 1, 2] * 4)
    long = "a" * 150 + " <b>.jpg"
    (folder / "val" / long).write_bytes(b"")
    labels.write_text(labels.read_text() + f"{long} 1\n", encoding="utf-8")
    run = start(folder / "out", folder / "val", labels, max_drop=50.0, batch_sizes=(1, 2, 4, 16), languages=("en",))
    run.everything()
    run.diagnose()
    return folder / "out/report.html"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as found:
        yield found


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("width", [WIDE, PHONE])
def test_it_is_quiet_self_contained_and_fits(browser: Any, report: Path, width: int, dark: bool) -> None:
    with opened(browser, report, width=width, dark=dark) as found:
        assert found.complaints == [] and found.requests == []
        assert found.overflow() <= 0
        lost = (
            "[...document.querySelectorAll('.plot')].filter((plot) => plot.getBoundingClientRect().width < 250).length"
        )
        assert found.page.evaluate(lost) == 0, "every drawing has a size to read"


def test_captions_stand_in_the_window_whole_while_tables_scroll(browser: Any, report: Path) -> None:
    with opened(browser, report, width=PHONE) as found:
        ends = "[...document.querySelectorAll('caption span')].map((one) => one.getBoundingClientRect().right)"
        shown = [end for end in found.page.evaluate(ends) if end]
        assert shown and max(shown) <= PHONE


def test_the_policy_stops_what_a_stranger_would_add(browser: Any, report: Path, tmp_path: Path) -> None:
    """The other side of a quiet page: what must not run would be heard."""
    page = report.read_text(encoding="utf-8")
    added = "<img src=http://example.org/x.png><script>document.title = 'run'</script></body>"
    (tmp_path / "report.html").write_text(page.replace("</body>", added), encoding="utf-8")
    with opened(browser, tmp_path / "report.html") as found:
        assert len(found.complaints) >= 2 and all("Content Security Policy" in line for line in found.complaints)
        assert found.page.title() != "run"


def place(page: Any, heading: str) -> int:
    headings = [text.strip() for text in page.locator(f"{SPEED} thead th").all_text_contents()]
    return next(place for place, text in enumerate(headings, start=1) if text.startswith(heading))


def column(page: Any, heading: str) -> list[str]:
    cells = page.locator(f"{SPEED} tbody tr > :nth-child({place(page, heading)})")
    return [cell.strip() for cell in cells.all_text_contents()]


def test_tables_sort_by_mouse_and_by_keyboard(browser: Any, report: Path) -> None:
    with opened(browser, report) as found:
        page = found.page
        heading = page.locator(f"{SPEED} th:has-text('batch')")
        heading.locator("button").click()
        assert heading.get_attribute("aria-sort") == "ascending"
        assert column(page, "batch") == ["1", "2", "4", "16"], "by value, not by text"
        heading.locator("button").focus()
        page.keyboard.press("Enter")
        assert heading.get_attribute("aria-sort") == "descending"
        assert column(page, "batch") == ["16", "4", "2", "1"]
        page.keyboard.press("Space")
        assert column(page, "batch") == ["1", "2", "4", "16"]
        other = page.locator(f"{SPEED} th:has-text('images/s')")
        other.locator("button").click()
        assert heading.get_attribute("aria-sort") == "none"
        assert column(page, "images/s") == sorted(column(page, "images/s"), key=float)
        assert found.complaints == []


def test_what_has_no_figure_sorts_last_both_ways(browser: Any, report: Path) -> None:
    with opened(browser, report) as found:
        page = found.page
        cell = page.locator(f"{SPEED} tbody tr").nth(1).locator(f":nth-child({place(page, 'p90')})")
        cell.evaluate("(cell) => { cell.textContent = 'not measured'; }")
        for _ in range(2):
            page.locator(f"{SPEED} th:has-text('p90') button").click()
            assert column(page, "p90")[-1] == "not measured"


RESULTS = "table.cards"


def test_a_result_is_a_card_on_a_phone_and_a_row_elsewhere(browser: Any, report: Path) -> None:
    for dark in (False, True):
        with opened(browser, report, width=PHONE, dark=dark) as found:
            page = found.page
            first = page.locator(f"{RESULTS} tbody tr").nth(1)
            cells = first.locator("td[data-label]")
            labels = [cell.get_attribute("data-label") for cell in cells.all()]
            assert labels[:3] == ["result", "Top-1 (%)", "drop (points)"] and "images/s" in labels
            told = "(cell) => getComputedStyle(cell, '::before').content"
            assert [cell.evaluate(told) for cell in cells.all()] == [f'"{label}"' for label in labels]
            boxes = [cell.bounding_box() for cell in cells.all()]
            assert [box["y"] for box in boxes] == sorted({box["y"] for box in boxes}), "one below the other"
            assert all(box["x"] >= 0 and box["x"] + box["width"] <= PHONE for box in boxes)
            scrolls = "(table) => table.parentElement.scrollWidth - table.parentElement.clientWidth"
            assert page.locator(RESULTS).evaluate(scrolls) <= 0 and found.overflow() <= 0
            page.locator(f"{RESULTS} th:has-text('images/s') button").click()
            assert page.locator(f"{RESULTS} th:has-text('images/s')").get_attribute("aria-sort") == "ascending"
            page.emulate_media(media="print")
            assert first.evaluate("(row) => getComputedStyle(row).display") == "table-row", "paper has the table"
    with opened(browser, report, width=PHONE, script=False) as found:
        assert not found.page.locator(f"{RESULTS} thead").is_visible(), "nothing to sort by"
        assert found.page.locator(f"{RESULTS} td[data-label]").first.is_visible()
    with opened(browser, report, width=WIDE) as found:
        row = found.page.locator(f"{RESULTS} tbody tr").nth(1)
        assert row.evaluate("(row) => getComputedStyle(row).display") == "table-row"
        assert row.locator("td").first.evaluate("(cell) => getComputedStyle(cell, '::before').content") == "none"


def test_dark_is_dark_and_drawings_follow(browser: Any, report: Path) -> None:
    def colours(dark: bool) -> tuple[str, str]:
        with opened(browser, report, dark=dark) as found:
            ground = found.page.evaluate("getComputedStyle(document.body).backgroundColor")
            ink = found.page.evaluate("getComputedStyle(document.querySelector('.plot text')).fill")
            return ground, ink

    light, dark = colours(False), colours(True)
    assert light == ("rgb(255, 255, 255)", "rgb(26, 26, 26)")
    assert sum(map(int, dark[0][4:-1].split(","))) < 100 < 600 < sum(map(int, dark[1][4:-1].split(",")))


def test_without_a_script_it_is_all_there(browser: Any, report: Path) -> None:
    with opened(browser, report, script=False) as found:
        assert found.page.locator(f"{SPEED} tbody tr").count() == 4
        assert found.page.locator("th button").count() == 0


def test_it_prints(browser: Any, report: Path) -> None:
    with opened(browser, report, dark=True) as found:
        found.page.emulate_media(media="print")
        assert found.page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
        assert not found.page.locator("nav").is_visible()
        assert found.page.pdf(format="A4").startswith(b"%PDF")


def test_it_can_be_heard_and_reached_by_keyboard(browser: Any, report: Path) -> None:
    with opened(browser, report) as found:
        page = found.page
        names = page.get_by_role("img").all()
        assert len(names) == 6, "five drawings and the depth's"
        assert page.get_by_role("region", name="Result", exact=True).count() == 1
        levels = page.evaluate("[...document.querySelectorAll('h1,h2,h3')].map((one) => Number(one.tagName[1]))")
        assert levels[0] == 1 and levels.count(1) == 1
        assert all(later - earlier <= 1 for earlier, later in itertools.pairwise(levels))
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.className") == "skip"
