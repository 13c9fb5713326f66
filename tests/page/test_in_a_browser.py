"""The page as a browser shows it: what is read, typed and pressed there."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from provision.page.fleet import Event, FindingNow, Fleet, HostNow, JobNow, Outcome, RunSeen, StepTime
from provision.page.html import page
from provision.page.plots import plots
from tests.page.sample import NOW, fleet

if TYPE_CHECKING:
    from pathlib import Path

    from tests.page.browser import Browser

pytestmark = [pytest.mark.xdist_group("browser"), pytest.mark.timeout(240)]

MANY = 300 if os.environ.get("PROVISION_SOAK") == "1" else 60
NAMES = "[...document.querySelectorAll('#fleet-table tbody td:first-child')].map((one) => one.textContent)"
TEXT = "document.getElementById('main').innerText"
HOSTILE = (
    "<img src=x onerror=owned=1>",
    "</script><script>owned=1</script>",
    "<!--<script>",
    "javascript:owned=1",
    "__proto__",
    "constructor",
    "a/b#c?d&amp;e%2f%",
    "'\"`;owned=1//",
    "${owned=1}",
    r"$\frac{1}{0}$",
    "]]><svg onload=owned=1>",
    "长主机名",
)


def written(folder: Path, one: Fleet, *, drawn: bool = False) -> str:
    path = folder / "the page.html"
    path.write_text(page(one, plots(one, hosts=2, draw=drawn)), encoding="utf-8")
    return path.as_uri()


def texts(browser: Browser, script: str) -> list[str]:
    found = browser.run(script)
    assert isinstance(found, list)
    return found


def test_it_opens_from_a_file_without_network_and_without_a_word_on_the_console(
    browser: Browser, tmp_path: Path
) -> None:
    address = written(tmp_path, fleet(MANY), drawn=True)
    browser.open(address)
    assert len(texts(browser, NAMES)) == MANY
    for place in ("#/findings", "#/timeline", "#/plots", "#/host/ali-005", "#/constructor", "#/"):
        browser.run(f"location.hash = '{place}'")
        browser.wait("document.activeElement === document.querySelector('h1')")
    assert [one for one in browser.requests if not one.startswith("data:,")] == [address]
    assert browser.console == []


def test_a_head_that_is_pressed_sorts_and_pressed_again_turns_it_round(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, fleet(24)))
    assert "unfit" in browser.run("document.querySelector('#fleet-table tbody tr').innerText")
    browser.run("document.querySelector('[data-focus=fleet-host]').focus()")
    browser.key("Enter")
    up = texts(browser, NAMES)
    assert up == sorted(up)
    assert browser.run("document.querySelector('#fleet-table th').getAttribute('aria-sort')") == "ascending"
    assert browser.run("document.activeElement.dataset.focus") == "fleet-host"
    browser.key("Enter")
    assert texts(browser, NAMES) == up[::-1]
    assert browser.run("document.querySelector('#fleet-table th').getAttribute('aria-sort')") == "descending"
    assert browser.run("document.querySelectorAll('#fleet-table th[aria-sort=none]').length") == 10


def test_what_is_searched_and_picked_is_what_stands_there(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, fleet(24)))
    browser.run("document.getElementById('fleet-search').focus()")
    browser.send("Input.insertText", text="ALIYUN unfit")
    assert texts(browser, NAMES) == ["ali-005"]
    assert browser.run("document.querySelector('[role=status]').textContent") == "1 of 24 shown"
    browser.run("{ const box = document.activeElement; box.value = ''; box.dispatchEvent(new Event('input')); }")
    browser.run(
        "{ const pick = document.getElementById('fleet-pick-cloud'); pick.value = 'gcp';"
        " pick.dispatchEvent(new Event('input')); }"
    )
    found = texts(browser, NAMES)
    assert found
    assert all(one.startswith("gcp") for one in found)


def test_a_host_opens_by_the_keyboard_and_tells_what_is_wrong_and_what_to_do(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, fleet(24), drawn=True))
    browser.run("document.querySelector('#fleet-table a').focus()")
    browser.key("Enter")
    browser.wait("location.hash === '#/host/ali-005'")
    browser.wait("document.activeElement.tagName === 'H1'")
    text = browser.run(TEXT)
    for part in (
        "ali-005",
        "GPU-DRIVER-OLD",
        "install driver 570 or newer",
        "550.127.08",
        "aliyun",
        "provision up all",
    ):
        assert part in text
    browser.run("document.querySelector('.finding summary').click()")
    assert len(browser.run(TEXT)) > len(text) + 300
    browser.run("history.back()")
    browser.wait(f"({NAMES}).length === 24")


def test_it_speaks_the_browsers_language_and_the_other_one_at_a_press(browser: Browser, tmp_path: Path) -> None:
    address = written(tmp_path, fleet(24))
    browser.open(address + "#/host/ali-005")
    browser.run("document.querySelector('.finding summary').click()")
    assert "What to do" in browser.run(TEXT)
    browser.run("document.getElementById('language').click()")
    text = browser.run(TEXT)
    assert browser.run("document.documentElement.lang") == "zh-CN"
    assert "怎么办" in text
    assert "为什么重要" in text, "what was open stays open, in the other language"
    assert "Why it matters" not in text
    browser.open(address)
    assert browser.run("document.querySelector('h1').textContent") == "机群", "it is remembered"
    browser.run("document.getElementById('language').click()")
    assert browser.run("document.querySelector('h1').textContent") == "Fleet"


def test_it_is_dark_where_the_system_is_and_light_or_dark_at_a_press(browser: Browser, tmp_path: Path) -> None:
    address = written(tmp_path, fleet(24), drawn=True)
    back = "getComputedStyle(document.body).backgroundColor"
    light, dark = "rgb(255, 255, 255)", "rgb(13, 17, 23)"
    browser.open(address)
    assert browser.run(back) == light
    browser.media(scheme="dark")
    assert browser.run(back) == dark
    browser.run("location.hash = '#/plots'")
    browser.wait("document.querySelector('main figure svg text') !== null")
    assert browser.run("getComputedStyle(document.querySelector('main figure svg text')).fill") == "rgb(230, 237, 243)"
    assert browser.run("getComputedStyle(document.querySelector('main figure svg .f1')).fill") == "rgb(88, 166, 255)"
    browser.run("document.getElementById('scheme').click()")
    assert browser.run(back) == light
    browser.media(scheme="dark", medium="print")
    assert browser.run(back) == light, "paper is white"
    assert browser.run("getComputedStyle(document.querySelector('nav')).display") == "none"
    browser.run("localStorage.clear(); delete document.documentElement.dataset.scheme")
    assert browser.run(back) == light, "paper is white"
    browser.media(scheme="light")


def test_whatever_a_host_calls_itself_and_says_stays_text(browser: Browser, tmp_path: Path) -> None:
    one = hostile()
    address = written(tmp_path, one, drawn=True)
    browser.open(address)
    assert sorted(texts(browser, NAMES)) == sorted(HOSTILE)
    for place in ("findings", "timeline", "plots"):
        browser.run(f"location.hash = '#/{place}'")
        browser.wait("document.activeElement === document.querySelector('h1')")
    for name in HOSTILE:
        browser.run("location.hash = '#/'")
        browser.wait("document.getElementById('fleet-table') !== null")
        browser.run(
            "[...document.querySelectorAll('#fleet-table td:first-child a')]"
            f".find((one) => one.textContent === {json.dumps(name)}).click()"
        )
        browser.wait(f"document.querySelector('h1').textContent === {json.dumps(name)}")
        assert browser.run(TEXT).count(name) >= 6
    assert browser.run("typeof owned") == "undefined"
    assert browser.run("document.querySelectorAll('img, iframe, object, [onload], [onerror]').length") == 0
    assert browser.run("document.querySelectorAll('script').length") == 2
    assert [one for one in browser.requests if not one.startswith("data:,")] == [address]
    assert browser.console == []


def hostile() -> Fleet:
    """A fleet in which every text is one that would like to be more than that."""
    empty = Fleet(NOW, "</title><script>owned=1</script>", problem="<b onclick=owned=1>")
    for at, name in enumerate(HOSTILE):
        code = "GPU-DRIVER-OLD" if at % 2 else name
        empty = replace(
            empty,
            hosts=(
                *empty.hosts,
                HostNow(name, NOW, name, name, name, name, name, name, name, NOW, 1, name, ((name, name),)),
            ),
            runs=(
                *empty.runs,
                RunSeen(str(at), name, name, NOW, NOW, 1, name, (Outcome(name, name, 1.0, name, name),)),
            ),
            steps=(*empty.steps, StepTime(str(at), name, NOW, name, name, 1.0, "done")),
            findings=(*empty.findings, FindingNow(name, code, name, name, name, name, NOW, NOW, open=True)),
            jobs=(*empty.jobs, JobNow(name, name, name, name, 1, NOW - 7200, NOW, (0,))),
            events=(*empty.events, Event(NOW, name, name, name)),
        )
    return empty


def test_a_page_of_many_hosts_shows_them_all(browser: Browser, tmp_path: Path) -> None:
    browser.open(written(tmp_path, fleet(MANY, weeks=2)))
    assert len(texts(browser, NAMES)) == MANY
    browser.run("location.hash = '#/timeline'")
    browser.wait("document.getElementById('timeline-table') !== null")
    rows = "document.querySelectorAll('#timeline-table tbody tr').length"
    assert browser.run(rows) == 200
    browser.run("document.querySelector('[data-focus=timeline-more]').click()")
    assert browser.run(rows) > 200
