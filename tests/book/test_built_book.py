"""The pages a reader gets: complete, local, readable without a network."""

import re
from functools import cache
from html import unescape
from html.parser import HTMLParser

import pytest

from recsys.book.exercises import read_answers, read_numbers
from recsys.book.lab import as_json, lab_notebook, read_book
from recsys.book.root import chapters
from tests.conftest import ROOT

BUILT = ROOT / "_build" / "html"


@pytest.fixture(scope="module")
def pages():
    found = sorted([*BUILT.glob("book/**/*.html"), *BUILT.glob("notebooks/*.html")])
    assert found, "the book is not built: run make book (make test builds it first)"
    return found


class Loads(HTMLParser):
    """Collects what a page loads: scripts, styles, pictures, frames; and pictures without alt text."""

    def __init__(self):
        super().__init__()
        self.loaded, self.without_alt, self.ids, self.links = [], [], set(), []

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.ids.add(values.get("id"))
        if tag in {"script", "img", "iframe", "source", "video"} and values.get("src"):
            self.loaded.append(values["src"])
        if tag == "link" and values.get("rel") in {"stylesheet", "preload", "icon", "modulepreload"}:
            self.loaded.append(values.get("href", ""))
        if tag == "img" and not (values.get("alt") or "").strip():
            self.without_alt.append(values.get("src"))
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])


@cache
def read(page):
    parser = Loads()
    parser.feed(page.read_text("utf-8"))
    return parser


def test_every_asset_is_local_and_there(pages):
    for page in pages:
        for target in read(page).loaded:
            assert not re.match(r"(https?:)?//", target), f"{page.name} loads {target}"
            if not target.startswith("data:"):
                assert (page.parent / target.partition("?")[0].partition("#")[0]).is_file(), f"{page.name}: {target}"


def test_every_link_inside_the_book_leads_somewhere(pages):
    for page in pages:
        for link in read(page).links:
            path, _, anchor = link.partition("#")
            if re.match(r"\w+:|//", link) or (path and not path.endswith(".html")):
                continue
            target = (page.parent / path).resolve() if path else page.resolve()
            assert target.is_file(), f"{page.name}: {link}"
            assert not anchor or anchor in read(target).ids, f"{page.name}: {link}"


def test_every_picture_has_alt_text(pages):
    assert {page.name: read(page).without_alt for page in pages if read(page).without_alt} == {}


def test_the_download_button_gives_the_notebook_for_lab(pages):
    book = read_book(ROOT)
    for page in (page for page in pages if page.parent.name == "notebooks"):
        [link] = {link for link in read(page).links if link.endswith(".ipynb") and "_sources" in link}
        given = (page.parent / link).read_text("utf-8")
        assert given == as_json(lab_notebook(ROOT / "notebooks" / f"{page.stem}.ipynb", book))


def test_what_is_numbered_has_the_number_that_lab_gives_it(pages):
    labels = read_book(ROOT).labels
    found = {}
    for page in (page for page in pages if page.parent.name == "notebooks"):
        html = page.read_text("utf-8")
        for label, number in re.findall(r'id="equation-([^"]+)">\s*<span class="eqno">\(([\d.]+)\)', html):
            found[label] = number
        for number, label in re.findall(r'<div class="exercise[^>]*id="([^"]+)"[^>]*>\s*<p[^>]*>.*?Exercise ([\d.]+)', html):
            found[number] = label
    known = {nodes_name(name): label.number for name, label in labels.items() if label.number}
    shared = found.keys() & known.keys()
    assert len(shared) > 50 and {name: found[name] for name in shared} == {name: known[name] for name in shared}


def test_an_exercise_that_answers_says_how_it_is_checked(pages):
    labels = read_book(ROOT).labels
    for number, label in read_numbers().items():
        page = BUILT / "notebooks" / f"{labels[label].notebook}.html"
        exercise = re.search(rf'<div class="exercise[^>]*id="{label}".*?Exercise {re.escape(number)}.*?</div>', page.read_text("utf-8"), re.S)[0]
        assert ("Check it: " in exercise) == (label in read_answers()), label
        assert label not in read_answers() or f'recsys.book.check("{number}", ...)' in text_of(exercise), label


def text_of(html):
    return unescape(re.sub(r"<[^>]*>", "", html))


def nodes_name(label):
    """As docutils makes an id of it."""
    return re.sub(r"[^a-z0-9]+", "-", label.lower()).strip("-")


def test_every_chapter_section_figure_and_exercise_has_the_number_of_its_chapter(pages):
    for number, together in enumerate(chapters(ROOT), 1):
        for path in together:
            html = (BUILT / "notebooks" / f"{path.stem}.html").read_text("utf-8")
            html = html[html.index("<article"):html.index("</article>")]  # without what is before and next
            titles = re.findall(r"<h1>(?:<[^>]*>)?([\d.]*)", html)
            counted = re.findall(r'class="(?:section-number|caption-number)">(?:\w+\.? )?([\d.]+)', html)
            counted += re.findall(r'class="eqno">\(([\d.]+)\)', html)
            assert counted and all(one.split(".")[0] == str(number) for one in titles + counted), path.name


def test_dots_stand_below_what_the_summary_repeats_and_below_intervals():
    html = (BUILT / "notebooks" / "history.html").read_text("utf-8")
    number = re.compile(r'class="claim"( data-plain)? [^>]*>([^<]*)<')
    plain, dotted = ({shown for mark, shown in number.findall(html) if bool(mark) == one} for one in (True, False))
    assert plain and dotted and not any("[" in shown for shown in plain)
    summary = html.partition('<section id="summary">')[2].partition("<section ")[0]
    assert number.search(summary) and "data-plain" not in summary


def test_a_solution_is_folded_and_one_click_opens_all_of_it(browser):
    page = browser.new_page()
    page.goto((BUILT / "notebooks" / "data.html").as_uri())
    solution = page.locator(".solution.dropdown").first
    body, button = solution.locator("#solution-content"), solution.locator(".toggle-button").first
    button.wait_for()
    code = body.locator(".cell_input pre").first
    before = body.is_visible() or code.is_visible()
    button.click()
    code.wait_for(state="visible")
    assert not before and body.locator("details").count() == 0
    page.close()


def test_the_moving_figure_moves_by_keyboard_and_tells_it_to_a_reader_of_the_screen(browser):
    context = browser.new_context(offline=True)
    page = context.new_page()
    page.goto((BUILT / "notebooks" / "allocation.html").as_uri())
    figure = page.locator("figure").filter(has=page.get_by_role("slider", name="Temperature"))

    def state():
        widths = figure.locator(".bar").evaluate_all("all => all.map(bar => +bar.getAttribute('width'))")
        return widths, figure.locator("svg").get_attribute("aria-label")

    figure.get_by_role("slider").focus()
    page.keyboard.press("Home")
    cold = state()
    page.keyboard.press("End")
    hot = state()
    assert cold != hot and max(cold[0]) > 2 * max(hot[0]), "cold concentrates, hot spreads"
    assert cold[1] != hot[1]
    assert re.match(r"Fig\. [\d.]+", figure.locator("figcaption").inner_text())
    context.close()


def test_a_framework_that_is_chosen_stays_chosen_in_all_tabs_and_on_the_next_page(browser, pages):
    """The second tab first, for a tab that follows no choice shows its first."""
    context = browser.new_context(offline=True)
    page = context.new_page()
    first = BUILT / "notebooks" / "weights.html"
    with_tabs = [path for path in pages if "sd-tab-set" in path.read_text("utf-8")]
    page.goto(first.as_uri())
    for chosen, visited in (("PaddlePaddle", with_tabs), ("PyTorch", with_tabs[-1:])):
        page.locator(".sd-tab-label", has_text=chosen).first.click()
        for path in visited:
            page.goto(path.as_uri())
            opened = page.locator(".sd-tab-set > input:checked + label").all_inner_texts()
            assert opened and set(opened) == {chosen}, f"{path.name}: {opened}"
        page.goto(first.as_uri())
    context.close()
