"""The player: what its page holds, and every control of it in a real browser."""

import base64
import html
import importlib.util
import json
import math
import os
import re
import shutil
import sys
import time
from pathlib import Path

import pytest

from autograd_lite import MLP, Value, half_squared_error
from autograd_lite.notation.names import short
from autograd_lite.pictures.player import MOST_CARDS, Player, play
from tests.pictures.graphs import mlp, needs_graphviz, not_finite
from tests.pictures.graphs import named_network as network
from tests.pictures.test_live import axe

ROOT = Path(__file__).parents[2]


def test_page_is_self_contained_and_small():
    loss = half_squared_error(MLP(2, [3, 1], "tanh", rng=0)([1.0, 2.0]), 1.0)
    loss.backward()
    player = play(loss)
    whole = player.html
    page = re.sub(r'(?<=id="live-page">).*?(?=</script>)', "", whole)  # test_live.py has the rest
    assert len(player.cards.values) >= 20
    assert len(page) < 100_000
    assert len(whole) < 200_000
    links = set(re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?([^"')>\s]+)""", page))
    assert links == set()
    assert set(re.findall(r"https?://[^\"' ]+", page)) == {"http://www.w3.org/2000/svg"}


def test_labels_are_text():
    x = Value(1.0, "<script>alert(1)</script>")
    loss = x * Value(2.0, "</script><!--")
    loss.label = 'a"b&c'
    loss.backward()
    page = play(loss).html
    assert "<script>alert" not in page
    assert page.count("<script") == page.count("</script>") == 3
    facts = json.loads(re.search(r'id="facts">(.*?)</script>', page, re.DOTALL)[1])
    assert any("<script>alert(1)" in step["text"] for step in facts["steps"])


def test_save_writes_the_page(tmp_path):
    player = play(network())
    assert player.save(tmp_path / "x.html") == tmp_path / "x.html"
    assert (tmp_path / "x.html").read_text(encoding="utf-8") == player.html


@needs_graphviz
def test_notebook_gets_a_sandboxed_frame_and_a_still_picture():
    player = play(network())
    bundle = player._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"] == repr(player)
    assert "loss x²" in repr(player)
    shown = bundle["text/html"]
    frame = re.fullmatch(
        r"<style>[^<]*</style>"
        r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" title="[^"]*" style="[^"]*"></iframe>'
        r'<figure class="autograd-lite-still"><img [^>]*src="data:image/svg\+xml;base64,([^"]*)">'
        r"<figcaption>This is a still picture\. To play it, run the cell, .*</figcaption></figure>",
        shown,
    )
    assert frame is not None
    assert html.unescape(frame[1]) == player.html
    assert b"<svg" in base64.b64decode(frame[2])


def test_too_large_a_graph_is_refused_in_one_line():
    value = Value(1.0, "x")
    for _ in range(MOST_CARDS):
        value = value.sin()
    with pytest.raises(ValueError, match=rf"at most {MOST_CARDS} cards.*151") as caught:
        play(value, max_cards=1000)
    assert "\n" not in str(caught.value)
    assert len(play(value).cards.cards) <= 40  # folded first


def test_no_value_is_refused():
    with pytest.raises(TypeError, match=r"3\.0"):
        play(3.0)


def test_without_graphviz_it_is_a_tree_and_saves_nothing(monkeypatch, tmp_path, capfd):
    monkeypatch.setenv("PATH", "")
    monkeypatch.setitem(sys.modules, "pygraphviz", None)
    player = play(network())
    bundle = player._repr_mimebundle_()
    assert set(bundle) == {"text/plain"}
    assert bundle["text/plain"].startswith(repr(player))
    assert "autograd-lite[viz]" in bundle["text/plain"]
    with pytest.raises(RuntimeError, match=r"autograd-lite\[viz\]"):
        player.save(tmp_path / "x.html")
    assert list(tmp_path.iterdir()) == []
    assert capfd.readouterr().err == ""


class Page:
    """A player that is open in the browser."""

    def __init__(self, browser, player: Player, path: Path) -> None:
        self.browser, self.player = browser, player
        browser.get_log("performance")
        browser.get_log("browser")
        browser.get(player.save(path).as_uri())

    def run(self, script: str, *arguments):
        return self.browser.execute_script(f"return {script}", *arguments)

    @property
    def at(self) -> int:
        return int(self.run("document.getElementById('at').value"))

    def click(self, name: str) -> None:
        self.browser.find_element("id", name).click()

    def change(self, name: str, value: str, event: str) -> None:
        script = "const [name, value, event] = arguments, field = document.getElementById(name)\n"
        script += "field.value = value; field.dispatchEvent(new Event(event))"
        self.browser.execute_script(script, name, value, event)

    def press(self, key: str) -> None:
        from selenium.webdriver import ActionChains

        ActionChains(self.browser).send_keys(key).perform()

    def text(self, name: str) -> str:
        return self.run("document.getElementById(arguments[0]).textContent", name)

    def pills(self) -> dict[str, str]:
        """What the pills that are shown say, by row."""
        return dict(
            self.run(
                "[...document.querySelectorAll('text.pill.on')].map(t => [t.dataset.row, t.textContent])"
            )
        )

    def shown(self, kind: str) -> set[str]:
        return set(self.run(f"[...document.querySelectorAll('text.{kind}.on')].map(t => t.dataset.row)"))


@pytest.fixture
def page(browser, tmp_path) -> Page:
    return Page(browser, play(network()), tmp_path / "player.html")


def wait(page: Page, script: str) -> None:
    from selenium.webdriver.support.ui import WebDriverWait

    WebDriverWait(page.browser, 20, poll_frequency=0.02).until(lambda _: page.run(script))


def test_buttons_walk_the_steps(page):
    count = len(page.player.steps)
    assert (page.at, page.text("count")) == (0, f"0 / {count}")
    page.click("next")
    page.click("next")
    assert page.at == 2
    page.click("back")
    assert page.at == 1
    page.click("last")
    assert page.at == count
    assert page.run("document.getElementById('next').ariaDisabled") == "true"
    page.click("next")
    assert page.at == count
    page.click("backward")
    first = next(k for k, step in enumerate(page.player.steps, 1) if step.phase == "backward")
    assert page.at == first
    assert page.text("phase") == f"backward 1 / {count - first + 1}"
    page.click("first")
    assert page.at == 0
    assert page.shown("value") == page.shown("pill") == set()


def test_keys_walk_the_steps(page):
    from selenium.webdriver.common.keys import Keys

    page.press(Keys.ARROW_RIGHT)
    page.press(Keys.ARROW_RIGHT)
    page.press(Keys.ARROW_LEFT)
    assert page.at == 1
    page.press(Keys.END)
    assert page.at == len(page.player.steps)
    page.press(Keys.HOME)
    assert page.at == 0
    page.run("document.getElementById('at').focus()")  # which has arrow keys of its own
    page.press(Keys.ARROW_RIGHT)
    assert page.at == 1


def test_space_plays_and_pauses(page):
    page.press(" ")
    assert page.text("play") == "Pause"
    wait(page, "document.getElementById('at').value >= 2")
    page.press(" ")
    assert page.text("play") == "Play"
    before = page.at
    page.run("new Promise(done => setTimeout(done, 1200))")
    assert page.at == before


def test_play_runs_to_the_end_and_starts_over(page):
    page.run("document.getElementById('speed').value = '200'")
    page.click("last")
    page.click("back")
    page.click("play")
    wait(page, "document.getElementById('play').textContent === 'Play'")
    assert page.at == len(page.player.steps)
    page.run("document.getElementById('speed').value = '2000'")
    page.click("play")
    assert page.at <= 3
    page.click("play")


def test_speed_takes_effect_while_it_plays(page):
    page.run("document.getElementById('speed').value = '2000'")
    page.click("play")
    page.change("speed", "200", "change")
    start = page.run("performance.now()")
    wait(page, "document.getElementById('at').value >= 6")
    assert page.run("performance.now()") - start < 6000  # at the old speed it were ten seconds
    page.click("play")


def test_slider_jumps(page):
    page.change("at", "7", "input")
    assert page.text("said").startswith(page.player.steps[6].text)


def test_click_on_a_card_goes_to_its_next_step(page):
    root = page.player.cards.cards[-1].id
    own = [k for k, step in enumerate(page.player.steps, 1) if step.cards[0] == root]
    assert len(own) == 2
    for expected in (*own, own[0]):
        page.browser.find_element("css selector", f"#{root} text").click()
        assert page.at == expected


def test_theme_changes_colours(page):
    background = "getComputedStyle(document.body).backgroundColor"
    fill = "getComputedStyle(document.querySelector('.card rect')).fill"
    light = page.run(background), page.run(fill)
    page.click("theme")
    dark = page.run(background), page.run(fill)
    assert light[0] == "rgb(255, 255, 255)"
    assert all(a != b for a, b in zip(light, dark, strict=True))
    page.click("theme")
    assert (page.run(background), page.run(fill)) == light


def test_final_pills_are_the_engines_gradients(page):
    page.press("\ue010")  # End
    values = page.player.cards.values
    assert page.pills() == {row: short(value.grad) for row, value in values.items()}
    assert page.shown("value") == values.keys()
    assert page.run("document.querySelectorAll('.edge:not(.on)').length") == 0


def test_pills_show_running_sums_until_all_is_there(page):
    for k, step in enumerate(page.player.steps, 1):
        if step.running:
            page.run(f"show({k})")
            assert page.pills()[step.rows[0]] == step.running[0]
            assert page.run(f"document.querySelectorAll('.running[data-row={step.rows[0]}]').length") == 2
    assert any(step.running for step in page.player.steps)


def test_reader_is_told_and_formula_is_shown(page):
    step = page.player.steps[-1]
    page.click("last")
    assert page.run("document.getElementById('said').getAttribute('aria-live')") == "polite"
    assert page.text("said") == f"{step.text}. {step.reason}"
    assert page.text("why") == step.reason
    assert (
        page.run("document.querySelector('#formula math').namespaceURI")
        == "http://www.w3.org/1998/Math/MathML"
    )
    assert page.run("document.querySelector('#formula mfrac').getBoundingClientRect().height") > 10


def test_reduced_motion_moves_nothing(page):
    page.run(f"show({next(k for k, step in enumerate(page.player.steps) if step.running)} + 1)")
    animated = "document.getAnimations().length"
    assert page.run(animated) > 0
    emulate = {"features": [{"name": "prefers-reduced-motion", "value": "reduce"}]}
    page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", emulate)
    try:
        assert page.run(animated) == 0
        page.click("back")
        assert page.run(animated) == 0
    finally:
        page.browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_dark_reader_gets_the_dark_theme(browser, tmp_path):
    emulate = {"features": [{"name": "prefers-color-scheme", "value": "dark"}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", emulate)
    try:
        opened = Page(browser, play(network()), tmp_path / "dark.html")
        assert opened.run("document.documentElement.className") == "dark"
    finally:
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


def test_no_request_and_no_error(page):
    for name in ("next", "last", "backward", "play", "play", "theme", "first"):
        page.click(name)
    events = [json.loads(entry["message"])["message"] for entry in page.browser.get_log("performance")]
    requests = [e["params"]["request"]["url"] for e in events if e["method"] == "Network.requestWillBeSent"]
    assert requests == [page.browser.current_url]
    assert page.browser.get_log("browser") == []


def test_labels_are_text_in_the_browser(browser, tmp_path):
    loss = Value(1.0, "<img src=x onerror=alert(1)>") * Value(2.0, "</script>")
    loss.backward()
    opened = Page(browser, play(loss), tmp_path / "labels.html")
    opened.press("\ue010")
    assert opened.run("document.querySelectorAll('img').length") == 0
    assert "<img src=x onerror=alert(1)>" in opened.text("formula") or "</script>" in opened.text("formula")
    assert opened.browser.get_log("browser") == []


def test_frame_of_a_notebook_works(browser, tmp_path):
    player = play(network())
    path = tmp_path / "notebook.html"
    path.write_text(f'<meta charset="utf-8">{player._repr_mimebundle_()["text/html"]}', encoding="utf-8")
    browser.get(path.as_uri())
    browser.switch_to.frame(0)
    try:
        browser.find_element("id", "last").click()
        pills = browser.execute_script("return document.querySelectorAll('text.pill.on').length")
    finally:
        browser.switch_to.default_content()
    assert pills == len(player.cards.values)


def test_frame_that_is_shown_late_looks_the_same(browser, tmp_path):
    """A notebook may load the page while its cell is hidden, where nothing has a size yet."""
    from selenium.webdriver.support.ui import WebDriverWait

    frame, wait = play(network()).frame, WebDriverWait(browser, 20, poll_frequency=0.02)
    place = "(r => [r.left, r.top, r.width, r.height])(e.getBoundingClientRect())"
    places = []
    for display in ("block", "none"):
        path = tmp_path / f"{display}.html"
        cell = f'<div id="cell" style="display:{display}">{frame}</div>'
        path.write_text(f'<meta charset="utf-8">{cell}', encoding="utf-8")
        browser.get(path.as_uri())
        try:
            browser.switch_to.frame(0)
            wait.until(
                lambda _: browser.execute_script("return document.querySelector('#count').textContent")
            )
            browser.switch_to.default_content()
            browser.execute_script("document.getElementById('cell').style.display = 'block'")
            browser.switch_to.frame(0)
            wait.until(lambda _: browser.find_element("id", "last").is_displayed())
            browser.find_element("id", "last").click()
            time.sleep(0.3)
            script = f"return [...document.querySelectorAll('#stage > svg, .pill')].map(e => {place})"
            places.append(browser.execute_script(script))
        finally:
            browser.switch_to.default_content()
    shown, shown_late = places
    assert len(shown) == len(shown_late) > 1
    for ours, late in zip(shown, shown_late, strict=True):
        assert late == pytest.approx(ours, abs=0.5)


def test_nothing_is_cut_off_in_the_browser(page):
    """The whole picture is in view, and no number is wider than its pill."""
    page.click("last")
    rectangle = (
        "(r => [r.left, r.top, -r.right, -r.bottom])(document.querySelector('{}').getBoundingClientRect())"
    )
    picture, room = (page.run(rectangle.format(name)) for name in ("#stage > svg", "#stage"))
    assert all(a >= b for a, b in zip(picture, room, strict=True))
    wider = "t.getBBox().width > t.previousElementSibling.getBBox().width"
    assert page.run(f"[...document.querySelectorAll('text.pill')].filter(t => {wider}).length") == 0


def test_formulas_need_no_font_with_mathematical_letters(page):
    """A browser would else write 𝛴 (U+1D6F4) for Σ, which fonts for texts lack."""
    page.click("backward")
    letters = "[...document.querySelectorAll('mi')].map(letter => getComputedStyle(letter).textTransform)"
    assert set(page.run(letters)) == {"none"}


# --- Nothing before its step --------------------------------------------------------------------------


def revealed(page: Page) -> str:
    """All that a reader can see, hover or hear of the picture."""
    script = """(() => {
      const isHidden = e => (s => s.opacity === "0" || s.display === "none"
        || e.tagName === "tspan" && s.fill === "none")(getComputedStyle(e))
      const isSeen = e => { for (; e; e = e.parentElement) if (isHidden(e)) return false; return true }
      const own = e => [...e.childNodes].filter(n => n.nodeType === 3).map(n => n.data).join("")
      const told = [...document.querySelectorAll("#stage :is(text, tspan, title)")].filter(isSeen).map(own)
      const labels = [...document.querySelectorAll("#stage [aria-label]")].map(e => e.ariaLabel)
      return [...told, ...labels, document.getElementById("said").textContent].join("; ") })()"""
    return page.run(script)


def test_nothing_is_revealed_before_its_step(browser, tmp_path):
    loss = network()
    opened = Page(browser, play(loss), tmp_path / "player.html")
    opened.browser.execute_script(STILL)
    assert re.findall(r"\d\.\d", revealed(opened)) == []
    forward = [step for step in opened.player.steps if step.phase == "forward"]
    opened.run(f"show({len(forward)})")
    shown = revealed(opened)
    values = opened.player.cards.values.values()
    assert all(f"= {value.data!r}" in shown for value in values)
    assert "gradient " not in shown
    assert "×" not in re.sub("× ", "", shown)
    opened.click("last")
    shown = revealed(opened)
    assert all(f"gradient {value.grad!r}" in shown for value in values)
    assert "gradient that flows here" in shown
    assert "×−2.0" in shown


def test_running_sums_do_not_tell_their_total(page):
    k, step = next((k, step) for k, step in enumerate(page.player.steps, 1) if step.running)
    page.run(f"show({k})")
    row = next(row for card in page.player.cards.cards for row in card.rows if row.id == step.rows[0])
    card = page.run(f"document.querySelector('text.pill[data-row={row.id}]').closest('.card').ariaLabel")
    assert f"gradient so far {step.running[0]}" in card
    assert repr(row.gradient) not in card


def test_what_sums_up_gradients_waits_for_the_last_of_them(browser, tmp_path):
    """Norms in the titles and notes of cards, and the strips of a layer."""
    opened = Page(browser, play(mlp(3, [8, 8, 1]), collapse="layer"), tmp_path / "player.html")
    opened.browser.execute_script(STILL)
    assert "params" in revealed(opened)
    assert "‖∇θ‖" not in revealed(opened)
    hidden = "[...document.querySelectorAll('polygon.{0}')].filter(e => !e.classList.contains('on')).length"
    count = "document.querySelectorAll('polygon.{0}').length"
    assert opened.run(count.format("value")) == opened.run(count.format("pill")) > 100
    assert opened.run(hidden.format("value")) == opened.run(count.format("value"))
    assert "gradient" not in opened.run("document.querySelector('polygon.value title').textContent")
    opened.run(f"show({sum(step.phase == 'forward' for step in opened.player.steps)})")
    assert opened.run(hidden.format("value")) == 0
    assert opened.run(hidden.format("pill")) == opened.run(count.format("pill"))
    assert "‖∇θ‖" not in revealed(opened)
    opened.click("last")
    assert opened.run(hidden.format("pill")) == 0
    assert "‖∇θ‖" in revealed(opened)


def test_rim_of_a_gradient_of_the_whole_batch_is_its_pills_own():
    """It does not show before the gradient does."""
    player = play(mlp(2, [4, 1], examples=30))
    svg = re.search("<svg xmlns.*?</svg>(?=\n</div>)", player.html, re.DOTALL)[0]
    assert svg.count('<rect fill="none"') == len(player.cards.cards)  # around each card
    rims = re.findall(r'<rect [^>]*class="pill" data-row="(v\d+)" stroke="#1f2933"', svg)
    parameters = {row.id for card in player.cards.cards for row in card.rows if row.kind == "parameter"}
    assert set(rims) == parameters


def test_border_of_a_gradient_that_is_not_finite_waits_for_it(browser, tmp_path):
    opened = Page(browser, play(not_finite()), tmp_path / "player.html")
    border = "getComputedStyle(document.querySelector('#c0 > rect[stroke]')).stroke"
    assert opened.player.cards.cards[0].rows[0].gradient == math.inf
    assert opened.run(border) == "rgb(170, 180, 192)"
    opened.click("last")
    assert opened.run(border) == "rgb(196, 0, 110)"


STILL = (
    "const still = document.createElement('style'); document.head.append(still)\n"
    "still.textContent = '* { transition: none !important; animation: none !important }'"
)


def test_arrowheads_point_the_way_that_a_pass_goes(page):
    """Forward to the consumer; backward to the operand."""
    page.browser.execute_script(STILL)
    script = """[...document.querySelectorAll(".edge")].map(edge => {
      const heads = [...edge.querySelectorAll("polygon")].filter(p => getComputedStyle(p).display !== "none")
      const tips = heads.map(head => head.getAttribute("points").split(" ")[1].split(",").map(Number))
      const {strokeWidth, strokeDasharray} = getComputedStyle(edge.querySelector("path"))
      return [edge.id, tips, strokeWidth, strokeDasharray] })"""
    boxes = """Object.fromEntries([...document.querySelectorAll(".card")].map(card => {
      const {x, y, width, height} = card.getBBox()
      return [card.id, [x - 6, y - 6, x + width + 6, y + height + 6]] }))"""
    drawn = {edge.id: edge for edge in page.player.cards.edges}
    places = page.run(boxes)

    def check(backward: bool):
        for edge, tips, width, dashes in page.run(script):
            ((x, y),) = tips
            left, top, right, bottom = places[drawn[edge].tail if backward else drawn[edge].head]
            assert left <= x <= right
            assert top <= y <= bottom
            if not backward:  # neither does its width tell how much will flow
                assert (width, dashes) in (("0.9px", "none"), ("1.3px", "none"))

    check(backward=False)
    page.run(f"show({sum(step.phase == 'forward' for step in page.player.steps)})")
    check(backward=False)
    page.click("last")
    check(backward=True)


# --- Layout, zoom, focus ------------------------------------------------------------------------------


@pytest.fixture
def sized(browser):
    """Open pages in a window of some size."""

    def resize(width: int, height: int) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)

    yield resize
    browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})


PLACE = "(r => [r.left, r.top, r.right, r.bottom])(document.getElementById('{}').getBoundingClientRect())"


@pytest.mark.parametrize("size", [(390, 780), (800, 700), (1280, 800)], ids=str)
def test_formula_wraps_in_a_panel_beside_or_below_the_graph(size, sized, browser, tmp_path):
    sized(*size)
    opened = Page(browser, play(network()), tmp_path / "player.html")
    script = """steps.flatMap((step, k) => {
      show(k + 1)
      const panel = document.getElementById("panel")
      const isWhole = panel.scrollWidth <= panel.clientWidth && document.querySelector("#formula *")
      return isWhole ? [] : step.text })"""
    assert opened.run(script) == []
    graph, panel = (opened.run(PLACE.format(name)) for name in ("graph", "panel"))
    if size[0] == 390:
        assert graph[3] <= panel[1] + 0.5
    else:
        assert graph[2] <= panel[0] + 0.5
    assert opened.run("document.documentElement.scrollWidth") <= size[0]


def test_graph_zooms_and_pans(page):
    from selenium.webdriver import ActionChains

    width = "Number(document.querySelector('#stage > svg').getAttribute('width'))"
    fitted = page.run(width)
    page.click("larger")
    assert page.run(width) == pytest.approx(1.25 * fitted)
    page.press("+")
    assert page.run(width) == pytest.approx(1.25**2 * fitted)
    page.press("-")
    page.click("smaller")
    assert page.run(width) == pytest.approx(fitted)
    for _ in range(4):
        page.click("larger")
    scroll = "[document.querySelector('#stage').scrollLeft, document.querySelector('#stage').scrollTop]"
    page.browser.execute_script("document.querySelector('#stage').scrollTo(60, 60)")
    before, at = page.run(scroll), page.at
    stage = page.browser.find_element("id", "stage")
    grabbed = ActionChains(page.browser, duration=20).move_to_element_with_offset(stage, 20, 30)
    grabbed.click_and_hold().move_by_offset(-30, -20).release().perform()
    assert page.run(scroll) == pytest.approx([before[0] + 30, before[1] + 20], abs=1.5)
    assert page.at == at  # a card under the hand was not clicked
    page.press("0")
    assert page.run(width) == pytest.approx(fitted)


def test_subject_of_a_step_is_in_sight(sized, browser, tmp_path):
    sized(390, 600)
    opened = Page(browser, play(network()), tmp_path / "player.html")
    for _ in range(3):
        opened.click("larger")
    script = """steps.flatMap((step, k) => {
      show(k + 1)
      const [room, box] = ["stage", step.cards[0]].map(id => $(id).getBoundingClientRect())
      const x = (box.left + box.right) / 2, y = (box.top + box.bottom) / 2
      return room.left <= x && x <= room.right && room.top <= y && y <= room.bottom ? [] : step.text })"""
    assert opened.run(script) == []


ACTIVE = "document.activeElement.id"


def test_cards_are_reached_and_visited_by_the_keyboard(page):
    from selenium.webdriver.common.keys import Keys

    page.run("document.getElementById('stage').focus()")
    page.press(Keys.TAB)
    first = page.run(ACTIVE)
    assert page.run("document.activeElement.getAttribute('role')") == "button"
    seen = [first]
    for _ in range(len(page.player.cards.cards) - 1):
        page.press(Keys.ARROW_DOWN)
        seen.append(page.run(ACTIVE))
    assert sorted(seen) == sorted(card.id for card in page.player.cards.cards)
    assert seen[-1] == page.player.cards.cards[-1].id
    page.press(Keys.ARROW_DOWN)  # there is no other
    assert page.run(ACTIVE) == seen[-1]
    own = [k for k, step in enumerate(page.player.steps, 1) if step.cards[0] == seen[-1]]
    page.press(Keys.ENTER)
    assert (page.at, page.run(ACTIVE)) == (own[0], seen[-1])
    page.press(" ")
    assert (page.at, page.run(ACTIVE)) == (own[1], seen[-1])
    assert "gradient 1.0" in page.run("document.activeElement.ariaLabel")
    page.press(Keys.ARROW_UP)
    page.press(Keys.ARROW_LEFT)
    assert (page.at, page.run(ACTIVE)) == (own[1] - 1, seen[-2])
    page.press(Keys.TAB)
    assert page.run(ACTIVE) == "smaller"  # the cards are one stop


def test_focus_is_kept_at_the_last_step_and_on_the_way_to_the_live_page(page):
    for name, to in (
        ("last", len(page.player.steps)),
        ("next", len(page.player.steps)),
        ("first", 0),
        ("back", 0),
    ):
        page.click(name)
        assert (page.at, page.run(ACTIVE)) == (to, name)
    for _ in range(2):
        page.click("live")
        assert page.run(ACTIVE) == "live"
    page.click("theme")
    assert page.run(ACTIVE) == "theme"


@pytest.mark.parametrize(("theme", "at"), [("light", -1), ("dark", 4)])
def test_axe_finds_nothing(theme, at, page):
    page.browser.execute_script(STILL)
    if theme == "dark":
        page.click("theme")
    page.run(f"show({at % (len(page.player.steps) + 1)})")
    assert axe(page.browser) == []


def test_ci_does_not_skip_the_browser():
    if os.environ.get("CI"):
        assert importlib.util.find_spec("selenium")
        assert shutil.which("chromium")
        assert shutil.which("chromedriver")
