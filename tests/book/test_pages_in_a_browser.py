"""Every page in Chromium: nothing wider than its box, nothing that axe-core objects to, no heavy page.

Each page is opened once, with the network off, for its formulas are slow to set; then it is made
narrow, dark, and light again, and stripped of what axe-core would look at for long and in vain.
`make test` puts axe-core below `.venv`, as tools/axe.lock has it; its test says so where it could not be had.
"""

import gzip
import re
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlparse

import pytest

from tests.conftest import ROOT

BUILT = ROOT / "_build" / "html"
AXE = ROOT / ".venv" / "axe" / "axe_playwright_python" / "axe.min.js"
WIDTHS = (1400, 1024, 390)
MODES = {390: "dark", 1400: "light"}
HEAVIEST = 1.5e6

SPILLED = """() => {
  const article = document.querySelector(".bd-article"), edge = article.getBoundingClientRect().right;
  const scrolls = box => ["auto", "scroll"].includes(getComputedStyle(box).overflowX);
  const inside = element => {
    for (let box = element; box && box !== article; box = box.parentElement)
      if (scrolls(box) && box.getBoundingClientRect().right <= edge + 1) return true;
    return false;
  };
  return [...article.querySelectorAll("mjx-container, pre, table, svg, img")]
    .filter(element => element.getBoundingClientRect().right > edge + 1 && !inside(element))
    .map(element => element.outerHTML.slice(0, 80));
}"""
CUT = """() => [...document.querySelectorAll(".bd-article div.math mjx-container")]
  .filter(formula => formula.scrollWidth > formula.clientWidth + 1)
  .map(formula => {
    const label = formula.closest("div.math").id || "no label, in " + formula.closest("section").id;
    return `${label}: ${formula.scrollWidth - formula.clientWidth} px`;
  })"""
OUTSIDE = """() => [...document.querySelectorAll("figure.drawn svg")].flatMap(drawing => {
  const page = drawing.getBoundingClientRect();
  return [...drawing.querySelectorAll("text")].filter(text => {
    const word = text.getBoundingClientRect();
    return page.width && Math.max(page.left - word.left, word.right - page.right,
                                  page.top - word.top, word.bottom - page.bottom) > 6;
  }).map(text => text.textContent.trim());
})"""
"""Words of a drawing that leave it; six pixels, since the box of a letter is higher than the letter."""
TOUCHING = """() => {
  const found = [];
  for (const row of document.querySelectorAll(".bd-article .pst-scrollable-table-container tr")) {
    const places = [...row.cells].filter(cell => !cell.querySelector("mjx-container")).map(cell => {
      const range = document.createRange();
      range.selectNodeContents(cell);
      return range.getBoundingClientRect();
    }).filter(place => place.width);
    places.slice(1).forEach((place, i) => {
      const beside = place.top < places[i].bottom && places[i].top < place.bottom;  // a card stacks its cells
      if (beside && place.left - places[i].right < 8) found.push(row.innerText.slice(0, 60));
    });
  }
  return found;
}"""

WIDE = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
BROKEN = "[...document.images].filter(image => !image.complete || !image.naturalWidth).map(image => image.src)"
AT_ONCE = "*, ::before, ::after { transition: none !important }"
"""Colours follow the theme at once: in passing from one to the other they stand out from nothing."""
COLOURS = """[getComputedStyle(document.body).backgroundColor,
              getComputedStyle(document.querySelector(".bd-article p")).color]"""
STRIP = """() => {
  for (const hidden of document.querySelectorAll(
    "mjx-container > [aria-hidden=true], svg[role=img] > *:not(title):not(desc)")) hidden.remove();
  const seen = new Set();
  for (const token of document.querySelectorAll("pre span[class]:not(:has(*))")) {
    const colour = token.className + " on " + token.closest("pre").closest("[class*=cell], [class*=highlight-]")?.className;
    if (seen.has(colour)) token.replaceWith(token.textContent);
    seen.add(colour);
  }
}"""
"""Takes away what no reader of a screen is told: glyphs of a formula beside its MathML, lines of a
drawing below its name; and of the words of code all but the first of each colour on each ground."""


AWAIT_THEME = """async () => {
  const boxes = [...document.querySelectorAll(".bd-article :is(pre, .cell_output > .output, .pst-scrollable-table-container)")];
  const scrolls = box => box.scrollWidth > box.clientWidth || box.scrollHeight > box.clientHeight;
  for (let i = 0; i < 40 && boxes.some(box => box.tabIndex !== 0 && scrolls(box)); i++)
    await new Promise(later => setTimeout(later, 50));
}"""
"""Until the theme has made what scrolls reachable by key, two seconds at most: axe-core names what it forgets."""

ONE_OF_EACH_LOOK = """() => {
  const seen = new Set();
  const walk = (element, ground) => {
    const style = getComputedStyle(element);
    const own = [style.backgroundColor, style.backgroundImage, style.opacity, style.position].join();
    if (own !== "rgba(0, 0, 0, 0),none,1,static") ground += "/" + own;
    const speaks = [...element.childNodes].some(node => node.nodeType === 3 && node.data.trim());
    const look = [element.tagName, element.className, style.color, style.fontSize, style.fontWeight, ground].join();
    const first = (speaks || !element.children.length) && !seen.has(look)
      && element.checkVisibility({visibilityProperty: true});
    element.toggleAttribute("data-look", first);
    if (first) seen.add(look);
    for (const child of element.children) walk(child, ground);
  };
  walk(document.body, "");
  axe.configure({rules: [{id: "color-contrast", selector: "[data-look]"}]});
}"""
"""Has axe-core measure contrast, nine tenths of its time, once for each kind of element, ink, size and
ground of a page, where it is first seen: a thousand claims in a table look alike."""


def weight(urls):
    """Bytes of what a page loads, compressed as they are sent, without the fonts of mathematics."""
    files = {Path(unquote(urlparse(url).path)) for url in urls if url.startswith("file:")}
    return sum(sent(file) for file in files if "mathjax" not in str(file) or file.suffix != ".woff")


@cache
def sent(file):
    return len(gzip.compress(file.read_bytes(), 6))


@pytest.fixture(scope="module")
def looked(browser):
    """What was found on each page, by its name below the built book."""
    context = browser.new_context(offline=True, viewport={"width": WIDTHS[0], "height": 900})
    found, pages = {}, sorted([*BUILT.glob("book/**/*.html"), *BUILT.glob("notebooks/*.html")])
    assert pages, "the book is not built: run make book (make test builds it first)"
    for path in pages:
        page, loaded, wrong = context.new_page(), [], []
        page.on("requestfinished", lambda request, loaded=loaded: loaded.append(request.url))
        page.on("requestfailed", lambda request, wrong=wrong: wrong.append(request.url))
        page.on("pageerror", lambda error, wrong=wrong: wrong.append(str(error)))
        page.goto(path.as_uri(), timeout=120_000)
        if page.locator(".math").count():
            page.wait_for_selector("mjx-container", timeout=60_000)
            page.evaluate("MathJax.startup.promise.then(() => null)")
        page.add_style_tag(content=AT_ONCE)
        seen = {"weight": weight(loaded), "spilled": [], "cut": {}, "axe": [], "touching": [], "outside": [], "faint": []}
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            seen["spilled"] += [f"{width}: {what}" for what in page.evaluate(SPILLED)]
            seen["spilled"] += [f"{width}: the page, by {wide} px"] if (wide := page.evaluate(WIDE)) > 1 else []
            seen["touching"] += [f"{width}: {what}" for what in page.evaluate(TOUCHING)]
            seen["outside"] += [f"{width}: {what}" for what in page.evaluate(OUTSIDE)]
            seen["cut"][width] = page.evaluate(CUT)
        seen["wrong"] = wrong + page.evaluate(BROKEN)
        if AXE.is_file():
            page.add_script_tag(path=AXE)
            page.evaluate(STRIP)
        for width, mode in MODES.items():
            page.emulate_media(color_scheme=mode)
            page.set_viewport_size({"width": width, "height": 900})
            page.evaluate("mode => { document.documentElement.dataset.theme = mode }", mode)
            back, ink = page.evaluate(COLOURS)
            seen["faint"] += [] if contrast(back, ink) > 4.5 else [f"{mode}: {ink} on {back}"]
            if AXE.is_file():
                page.evaluate(AWAIT_THEME)
                page.evaluate(ONE_OF_EACH_LOOK)
                seen["axe"] += [f"{mode}, {width}: {what}" for what in objections(page)]
        found[str(path.relative_to(BUILT))] = seen
        page.close()
    context.close()
    return found


def objections(page):
    """Rule and place of each violation that axe-core finds."""
    result = page.evaluate("axe.run(document, {resultTypes: ['violations'], preload: false})")
    assert "color-contrast" in {rule["id"] for rule in result["violations"] + result["passes"]}, "nothing was measured"
    return [f"{broken['id']}: {node['html'][:120]}" for broken in result["violations"] for node in broken["nodes"]]


def contrast(back: str, ink: str) -> float:
    """WCAG contrast of two CSS colours given as rgb()."""
    def luminance(colour):
        channels = [int(c) / 255 for c in re.findall(r"\d+", colour)[:3]]
        linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    light, dark = sorted([luminance(back), luminance(ink)], reverse=True)
    return (light + 0.05) / (dark + 0.05)


def of(looked, what):
    return {name: seen[what] for name, seen in looked.items() if seen[what]}


def test_nothing_is_wider_than_its_box(looked):
    assert of(looked, "spilled") == {}


def test_with_the_network_off_nothing_is_missing_and_no_script_fails(looked):
    assert of(looked, "wrong") == {}


def test_text_stands_out_in_light_and_dark(looked):
    assert of(looked, "faint") == {}


@pytest.mark.parametrize("width", WIDTHS)
def test_no_formula_has_to_scroll(looked, width):
    assert {name: seen["cut"][width] for name, seen in looked.items() if seen["cut"][width]} == {}


def test_no_two_numbers_touch(looked):
    assert of(looked, "touching") == {}


def test_no_word_of_a_drawing_is_cut(looked):
    assert of(looked, "outside") == {}


def test_no_page_is_heavy(looked):
    assert {name: seen["weight"] for name, seen in looked.items() if seen["weight"] > HEAVIEST} == {}


def test_axe_core_objects_to_nothing(looked):
    if not AXE.is_file():
        pytest.skip("axe-core is not below .venv/axe (make test fetches it, from the index of Python packages)")
    assert of(looked, "axe") == {}


@cache
def a_page_with_claims():
    return next(path for path in sorted(BUILT.glob("notebooks/*.html")) if 'class="claim"' in path.read_text("utf-8"))


@pytest.mark.parametrize("way", ["mouse", "touch", "key"])
def test_a_claim_opens_by_mouse_touch_and_key_and_tells_what_was_measured(browser, way):
    context = browser.new_context(offline=True, has_touch=True, viewport={"width": 390, "height": 800})
    page = context.new_page()
    page.goto(a_page_with_claims().as_uri())
    number = page.locator("button.claim").first
    box = page.locator("span.told").first
    assert not box.is_visible()
    if way == "key":
        number.focus()
        page.keyboard.press("Enter")
    else:
        getattr(number, {"mouse": "click", "touch": "tap"}[way])()
    box.wait_for(state="visible")
    place, at = box.bounding_box(), number.bounding_box()
    assert 0 <= place["x"] and place["x"] + place["width"] <= 390 and 0 <= place["y"] - at["y"] < 60
    assert len(box.inner_text()) > 20
    page.keyboard.press("Escape")
    assert not box.is_visible()
    context.close()


def test_the_links_of_a_claim_lead_to_its_cell_and_to_the_table_of_all(browser):
    page = browser.new_page()
    page.goto(a_page_with_claims().as_uri())
    links = page.locator("span.told").first.locator("a").evaluate_all("links => links.map(link => link.href)")
    for link in links:
        page.goto(link)
        anchor = link.partition("#")[2]
        assert page.evaluate("name => document.getElementById(name) !== null", anchor), link
    assert "cell-" in links[0] and "claims.html#" in links[-1]
    page.close()
