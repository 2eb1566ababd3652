"""The player: what its steps say, what its page holds, and every control of it in a real browser."""

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

from autograd_lite import (
    MLP,
    Value,
    dot,
    half_squared_error,
    log_loss_from_scores,
    mean,
    no_grad,
    primitive,
    scope,
    softmax_cross_entropy,
    where,
)
from autograd_lite import sum as sum_
from autograd_lite.core.primitive import TABLE
from autograd_lite.core.value import topological_order
from autograd_lite.notation.names import short
from autograd_lite.pictures.mathml import Name
from autograd_lite.pictures.mathml import typeset as _typeset
from autograd_lite.pictures.player import MOST_CARDS, Player, play
from autograd_lite.pictures.steps import Step

ROOT = Path(__file__).parents[2]


def network() -> Value:
    """The loss of a small network of sigmoids: two inputs, each used by two neurons."""
    x = [Value(1.0, "x1"), Value(-2.0, "x2")]
    a = []
    with scope("layer 1"):
        for k, w in enumerate(([-0.529, -1.05], [-1.28, 0.108])):
            z = dot([Value(w_i, f"w{i}") for i, w_i in enumerate(w, 1)], x, Value(0.1 - k, "b"))
            z.label = f"z{k + 1}"
            a.append(z.sigmoid())
    with scope("layer 2"):
        y_hat = dot([Value(-1.33, "w1"), Value(0.022, "w2")], a, Value(-0.463, "b")).sigmoid()
    y_hat.label = "y_hat"
    error = y_hat - Value(1.0, "y")
    error.label = "error"
    loss = error**2
    loss.label = "loss"
    loss.backward()
    return loss


def said(player: Player, start: str) -> list[str]:
    """The text of each backward step that begins so."""
    return [step.text for step in player.steps if step.phase == "backward" and step.text.startswith(start)]


def reasons(value: Value) -> list[str]:
    value.backward()
    return [step.reason for step in play(value).steps if step.phase == "backward"][1:]


# --- Steps ----------------------------------------------------------------------------------------


def test_each_use_of_each_value_is_a_step_and_so_is_each_operation_and_the_seed():
    loss = network()
    nodes = topological_order(loss)
    operations = [node for node in nodes if node.primitive is not None]
    uses = sum(isinstance(x, Value) for node in operations for x in node.operands)
    steps = play(loss).steps
    assert [step.phase for step in steps] == ["forward"] * (1 + len(operations)) + ["backward"] * (1 + uses)


def test_chain_rule_line_has_names_and_numbers():
    loss = network()
    (line,) = said(play(loss), "∂loss/∂ŷ")
    (error,) = (node for node in topological_order(loss) if node.label == "error")
    upstream, flow = short(error.grad), short(error.operands[0].grad)
    assert line == f"∂loss/∂ŷ = ∂loss/∂error · ∂error/∂ŷ = {upstream} · 1.00 = {flow}"


def test_only_a_negative_number_stands_in_parentheses():
    a, b = Value(0.0, "a"), Value(-0.5, "b")
    texts = [step.text for step in play(a * b).steps]
    assert "a·b = 0(−0.500) = 0" in texts


def test_line_is_well_formed_mathml():
    from xml.etree import ElementTree

    for step in play(network()).steps:
        ElementTree.fromstring(f"<math>{step.mathml}</math>")
    line = next(step for step in play(network()).steps if "∂loss/∂x₁" in step.text)
    assert "<msub><mi>x</mi><mn>1</mn></msub>" in line.mathml
    assert line.mathml.count("<mfrac>") == 3


@pytest.mark.parametrize(
    ("formula", "mathml"),
    [
        ("−1.5", '<mrow><mo form="prefix">−</mo><mn>1.5</mn></mrow>'),
        ("a − b", "<mrow><mi>a</mi><mo>−</mo><mi>b</mi></mrow>"),
        ("2·10⁻³⁰", "<mrow><mn>2</mn><mo>·</mo><msup><mn>10</mn><mn>−30</mn></msup></mrow>"),
        ("1 < ∞", "<mrow><mn>1</mn><mo>&lt;</mo><mo>∞</mo></mrow>"),
        ("log2", "<mtext>log2</mtext>"),
    ],
)
def test_formulas_are_typeset(formula, mathml):
    assert _typeset(formula, []) == Name(formula, mathml)


def test_sums_run_where_several_consumers_meet():
    loss = network()
    player = play(loss)
    x1 = next(node for node in topological_order(loss) if node.label == "x1")
    row = next(row for row, value in player.cards.values.items() if value is x1)
    steps = [step for step in player.steps if step.phase == "backward" and row in step.rows]
    flows = [
        node.grad * partial
        for node in reversed(topological_order(loss))
        for x, partial in zip(node.operands, node.partials, strict=True)
        if x is x1
    ]
    assert len(flows) == 2
    assert steps[0].running[0] in map(short, flows)  # of the neuron that comes first
    assert "use 1 of 2, more to come" in steps[0].reason
    assert steps[1].running == []  # the pill as it was drawn: the engine's gradient
    assert steps[1].text.endswith(f"= {short(x1.grad)}")
    assert steps[1].text.startswith(f"∂loss/∂x₁ = {steps[0].running[0]} + ∂loss/∂")


AS_IT_IS, OTHER = "passes the gradient on unchanged", "the local partial is the other factor"


@pytest.mark.parametrize(
    ("build", "expected"),
    [
        (lambda x, y: x * y, [f"×: {OTHER}, y", f"×: {OTHER}, x"]),
        (lambda x, y: x - y, [f"−: {AS_IT_IS}", "−: flips the sign of the gradient"]),
        (lambda x, y: 3.0 * x + y, [f"+: {AS_IT_IS}", f"+: {AS_IT_IS}", "×: scales the gradient by 3.00"]),
        (lambda x, y: dot([x], [y], 1.0), [f"Σ: {OTHER}, y", f"Σ: {OTHER}, x"]),
        (lambda x, y: x.exp(), ["exp: the local partial is the value itself, exp(x)"]),
        (lambda x, y: x.log(), ["log: the local partial is 1/x"]),
        (lambda x, y: (x - 3.0).relu(), ["ReLU: the local partial is [x − 3 > 0]", f"−: {AS_IT_IS}"]),
    ],
)
def test_plain_reasons(build, expected):
    assert sorted(reasons(build(Value(2.0, "x"), Value(0.5, "y")))) == sorted(expected)


def test_a_player_made_within_no_grad_says_the_same():
    loss = network()
    with no_grad():
        assert play(loss).steps == play(loss).steps
        inside = play(loss).steps
    assert inside == play(loss).steps


def test_reason_of_a_primitive_of_your_own_comes_from_its_rule():
    double = primitive("double", lambda x: 2.0 * x, lambda out, x: (2.0,))
    try:
        assert reasons(double(Value(1.5, "x"))) == ["double: scales the gradient by 2.00"]
    finally:
        del TABLE["double"]


def test_branch_that_was_not_taken_gets_exactly_nothing():
    x, y = Value(1.0, "x"), Value(2.0, "y")
    assert "the branch not taken: it gets exactly zero · " not in reasons(x * y)
    assert "the branch not taken: it gets exactly zero" in reasons(where(1.0, x, y))


def test_folded_uses_are_one_step_that_completes_the_gradient():
    model = MLP(2, [1], rng=0)
    X = [[k / 50.0, 1.0 - k / 70.0] for k in range(100)]
    loss = log_loss_from_scores([model(x) for x in X], [float(k % 2) for k in range(100)], "mean")
    loss.backward()
    player = play(loss, batch=True)
    for parameter in model.parameters():
        row = next(row for row, value in player.cards.values.items() if value is parameter)
        last = [step for step in player.steps if step.phase == "backward" and row in step.rows][-1]
        assert last.text.endswith(f"= {short(parameter.grad)}")
        assert re.search(r"the sum over \d+ uses", last.reason)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"max_cards": 149},
        {"collapse": "neuron"},
        {"collapse": "layer"},
        {"batch": False, "max_cards": 100},
        {"max_cards": 7},
        {"max_cards": 2},
        {"max_cards": 1},
    ],
    ids=str,
)
def test_every_value_and_gradient_that_is_drawn_is_reached_however_it_is_folded(options):
    layers = [MLP(2, [7], "tanh", rng=0), MLP(7, [7], "tanh", rng=1), MLP(7, [3], rng=2)]
    losses = []
    for k in range(5):
        x = [Value(k / 5.0, "x1"), Value(1.0 - k, "x2")]
        for i, layer in enumerate(layers):
            with scope(f"layer {i}"):
                x = layer(x)
        losses.append(softmax_cross_entropy(x, k % 3))
    loss = mean(losses) + 0.1 * sum_([p * p for layer in layers for p in layer.parameters()])
    loss.backward()
    player = play(loss, **options)
    last: dict[tuple[str, str], Step] = {}
    for step in player.steps:
        last.update({(step.phase, row): step for row in step.rows})
    rows = [row for card in player.cards.cards for row in card.rows]
    assert {row for phase, row in last if phase == "forward"} == {row.id for row in rows}
    for row in rows:
        if row.id in player.cards.values:
            step = last["backward", row.id]
            assert step.running == []
            assert step.text.endswith(f"= {short(row.gradient)}")
    edges = {edge.id for edge in player.cards.edges}
    assert all(set(step.edges) <= edges for step in player.steps)
    assert player.html


def test_graph_of_a_hundred_thousand_values():
    values = [Value(k / 1000.0) for k in range(1000)]
    for _ in range(99):
        values = [value.sin() for value in values]
    loss = sum_(values)
    loss.backward()
    start = time.perf_counter()
    assert play(loss).html
    # About a second here, six times as much on a machine that is busy.
    assert time.perf_counter() - start < 10.0


def test_gradient_from_another_pass_has_a_step_of_its_own():
    w = Value(3.0, "w")
    (w * 5.0).backward()
    loss = w * 2.0
    loss.label = "loss"
    loss.backward()
    use, last = play(loss).steps[-2:]
    assert use.text.endswith("= 1.00 · 2.00 = 2.00")
    assert (last.text, last.reason) == ("∂loss/∂w = 2.00 + 5.00 = 7.00", "added by another backward pass")


def test_before_backward_it_plays_the_values_only():
    player = play(Value(2.0, "x") * 3.0)
    assert {step.phase for step in player.steps} == {"forward"}
    assert "no gradients yet: call backward()" in player.html


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_played_too(bad):
    loss = Value(bad, "x") * Value(2.0, "w")
    loss.backward()
    assert play(loss).steps[-1].text.endswith(f"= {short(2.0)}") or short(bad) in play(loss).steps[-1].text


def test_a_leaf_alone():
    x = Value(2.0, "x")
    x.backward()
    assert [step.text for step in play(x).steps][-1] == "∂x/∂x = 1.00"


# --- The page -------------------------------------------------------------------------------------


def test_page_is_self_contained_and_small():
    loss = half_squared_error(MLP(2, [3, 1], "tanh", rng=0)([1.0, 2.0]), 1.0)
    loss.backward()
    player = play(loss)
    page = player.html
    assert len(player.cards.values) >= 20
    assert len(page) < 75_000
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
    assert page.count("<script") == page.count("</script>") == 2
    steps = re.search(r'id="steps">(.*?)</script>', page, re.DOTALL)
    assert any("<script>alert(1)</script>" in step["text"] for step in json.loads(steps[1]))


def test_save_writes_the_page(tmp_path):
    player = play(network())
    assert player.save(tmp_path / "x.html") == tmp_path / "x.html"
    assert (tmp_path / "x.html").read_text(encoding="utf-8") == player.html


def test_notebook_gets_a_sandboxed_frame_and_a_still_picture():
    player = play(network())
    bundle = player._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/plain"] == repr(player)
    assert "loss x²" in repr(player)
    shown = bundle["text/html"]
    frame = re.fullmatch(
        r'<iframe srcdoc="([^"]*)" sandbox="allow-scripts" title="[^"]*" style="[^"]*"></iframe>'
        r"<details><summary>[^<]*</summary>"
        r'<img alt="[^"]*" src="data:image/svg\+xml;base64,([^"]*)"></details>',
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


# --- In a browser ---------------------------------------------------------------------------------


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
    assert not page.browser.find_element("id", "next").is_enabled()
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
    page.click("last")
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
            script = f"return [...document.querySelectorAll('main svg, .pill')].map(e => {place})"
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
    picture, room = (page.run(rectangle.format(name)) for name in ("main svg", "main"))
    assert all(a >= b for a, b in zip(picture, room, strict=True))
    wider = "t.getBBox().width > t.previousElementSibling.getBBox().width"
    assert page.run(f"[...document.querySelectorAll('text.pill')].filter(t => {wider}).length") == 0


def test_formulas_need_no_font_with_mathematical_letters(page):
    """A browser would else write 𝛴 (U+1D6F4) for Σ, which fonts for texts lack."""
    page.click("backward")
    letters = "[...document.querySelectorAll('mi')].map(letter => getComputedStyle(letter).textTransform)"
    assert set(page.run(letters)) == {"none"}


def test_ci_does_not_skip_the_browser():
    if os.environ.get("CI"):
        assert importlib.util.find_spec("selenium")
        assert shutil.which("chromium")
        assert shutil.which("chromedriver")
