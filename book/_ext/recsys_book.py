"""The book's small Sphinx extension: claim and cited numbers, tables, and what its download buttons give."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.addnodes import pending_xref
from sphinx_exercise.nodes import is_exercise_node, is_solution_node
from sphinxcontrib.bibtex.roles import CiteRole

from recsys.book import concepts
from recsys.book.chapter_map import drawn
from recsys.book.claimed import agrees, as_written, read_claims
from recsys.book.exercises import read_answers, read_numbers
from recsys.book.figure_page import figure_node
from recsys.book.figures import first_stored
from recsys.book.lab import as_json, lab_notebook, read_book
from recsys.book.lint import citation_keys
from recsys.book.page import theme
from recsys.book.page.kept import keep_marks
from recsys.book.page.tables import mended
from recsys.book.page.told import EVERY_CLAIM, every_claim, opened, place_of, says
from recsys.book.root import notebooks
from recsys.book.status import write_tables


class told(nodes.inline):
    """A number that tells what was measured when it is opened."""


class source(nodes.inline):
    """Whose number it is, behind that number."""


def claim_role(name, rawtext, text, lineno, inliner, options=None, content=None):
    """{claim}`0.107 <id>`: the number, which opens; {quiet}`0.107 <id>`: the number; a warning where the claim disagrees."""
    at = Path(inliner.document.settings.env.srcdir)
    match = re.fullmatch(r"(.+?)\s*<([\w.@-]+)>", text, re.S)
    claims = read_claims(at)
    if not match or match.group(2) not in claims:
        return [], [inliner.reporter.error(f"{name} role: expected NUMBER <id of book/claims.yml>, found {text!r}", line=lineno)]
    shown, claim = match.group(1), claims[match.group(2)]
    if not agrees(shown, claim):
        return [], [inliner.reporter.error(f"claim {claim.id}: the text says {shown}, the book has {as_written(shown, claim)}; "
                                           "run recsys reproduce --update", line=lineno)]
    if name == "quiet":
        return [nodes.inline(rawtext, shown, classes=["quiet"])], []
    return [told(rawtext, shown, claim=claim.id)], []


def cited_role(name, rawtext, text, lineno, inliner, options=None, content=None):
    """{cited}`0.107 <key>`: a number of somebody else, and whose, as a link to the bibliography."""
    match = re.fullmatch(r"(.+?)\s*<([\w.:-]+)>", text, re.S)
    at = Path(inliner.document.settings.env.srcdir)
    if not match or match.group(2) not in citation_keys(at):
        return [], [inliner.reporter.error(f"cited role: expected NUMBER <key of the bibliography>, found {text!r}", line=lineno)]
    number, key = match.groups()
    cited, messages = CiteRole()("cite:p", rawtext, key, lineno, inliner)
    return [nodes.inline(rawtext, number, classes=["cited"]), source("", " ", *cited, key=key)], messages


def say_each_source_once(app, doctree):
    """In a paragraph or a table that names a work anyway, or has several of its numbers, one name is enough."""
    said: dict[int, set[str]] = {}
    for number in list(doctree.findall(source)):
        block = _block(number)
        if id(block) not in said:
            said[id(block)] = {cited["reftarget"] for cited in block.findall(pending_xref)
                               if cited.get("refdomain") == "cite" and not isinstance(cited.parent, source)}
        if number["key"] in said[id(block)]:
            for cited in number.findall(pending_xref):
                number.parent.insert(number.parent.index(number), nodes.target(ids=cited["ids"]))
            number.parent.remove(number)
        said[id(block)].add(number["key"])


def _block(node):
    """The table around a node, else its paragraph."""
    around = [node]
    while around[-1].parent is not None:
        around.append(around[-1].parent)
    return next((one for one in around if isinstance(one, nodes.table)),
                next((one for one in around if isinstance(one, nodes.paragraph)), around[-1]))


def name_cells(app, doctree):
    """Each code cell on a page gets a name, for the claims that it computes."""
    for cell in doctree.findall(nodes.container):
        if cell.get("nb_element") == "cell_code":
            cell["ids"].append(f"cell-{cell['cell_index']}")


def open_code_of_solutions(app, doctree):
    """Code in a solution is not folded once more: the solution is, and one click opens it."""
    for solution in doctree.findall(is_solution_node):
        for cell in solution.findall(nodes.container):
            cell.attributes.pop("hide_mode", None)


def dot_conclusions(app, doctree):
    """Dots stand below what a conclusion hangs on: what the summary repeats, and what is bold or has an interval.

    The other numbers open as well. On a page without such a number all have dots.
    """
    every = list(doctree.findall(told))
    summaries = [section for section in doctree.findall(nodes.section) if "summary" in section["names"]]
    repeated = {number["claim"] for section in summaries for number in section.findall(told)}
    hung_on = [number["claim"] in repeated or "[" in number.astext() or isinstance(number.parent, nodes.strong)
               for number in every]
    for number, conclusion in zip(every, hung_on):
        number["dotted"] = conclusion or not any(hung_on)


def offer_checks(app, doctree):
    """Below an exercise whose answer can be checked: how, and what to hand in."""
    number_of = {label: number for number, label in read_numbers().items()}
    for exercise in doctree.findall(is_exercise_node):
        if answer := read_answers().get(exercise["label"]):
            call = nodes.literal("", f'recsys.book.check("{number_of[exercise["label"]]}", ...)')
            exercise[-1] += nodes.paragraph("", "Check it: ", call, nodes.Text(f", with {answer.wanted}."), classes=["check"])


def visit_told(translator, node):
    """The number as a button, and what it opens."""
    builder = translator.builder
    at = Path(builder.srcdir)
    claims = read_claims(at)
    claim = claims[node["claim"]]
    here = builder.current_docname
    translator.n_told = getattr(translator, "n_told", 0) + 1
    place = place_of(claim, at)
    links = {"Its cell": builder.get_relative_uri(here, place[0]) + place[1]} if place else {}
    every = builder.get_relative_uri(here, EVERY_CLAIM)
    links["All claims"] = f"{every}#{claim.id}"
    said = says(claim, claims, every)
    translator.body.append(opened(node.astext(), claim, f"told-{translator.n_told}", links, said, node["dotted"]))
    raise nodes.SkipNode


def visit_plainly(translator, node):
    """Nothing around it."""


def page_of_claims(app):
    """The page with all claims; it stands in no table of contents."""
    at, links = Path(app.srcdir), {}
    claims = read_claims(at)
    for id, claim in claims.items():
        if place := place_of(claim, at):
            links[id] = app.builder.get_relative_uri(EVERY_CLAIM, place[0]) + place[1]
    yield EVERY_CLAIM, {"title": "All claims", "body": every_claim(claims, links)}, "page.html"


def finish(app, pagename, templatename, context, doctree):
    """Mend the tables; drop the scripts of a live-code service that the book does not use and that needs a network."""
    def kept(asset):
        return "thebe" not in f"{getattr(asset, 'filename', asset)} {getattr(asset, 'attributes', '')}".lower()

    for kind in ("script_files", "css_files"):
        context[kind] = [asset for asset in context.get(kind, []) if kept(asset)]
    if "body" in context:
        context["body"] = mended(context["body"])


def without_an_address_no_buttons(app, config):
    """Binder and Colab open a repository: where `_config.yml` names none, nothing offers them."""
    if not config.html_theme_options.get("repository_url"):
        config.html_theme_options["launch_buttons"] = {}


def offer_lab_notebooks(app, exception):
    """The download button of a chapter gives the notebook that JupyterLab renders by itself."""
    if exception is None and app.builder.name == "html":
        at, given = Path(app.srcdir), Path(app.outdir) / "_sources" / "notebooks"
        book = read_book(at)
        for notebook in notebooks(at):
            (given / notebook.name).write_text(as_json(lab_notebook(notebook, book)), "utf-8")


class FirstFigure(Directive):
    """```{first-figure} notebooks/worth```: the first figure that a chapter stored."""

    required_arguments = 1

    def run(self):
        at = Path(self.state.document.settings.env.srcdir)
        return [figure_node(first_stored(at / f"{self.arguments[0]}.ipynb"))]


class ChapterMap(Directive):
    """```{chapter-map}```: a box a chapter, an arrow to those that stand on it."""

    def run(self):
        at = Path(self.state.document.settings.env.srcdir)
        return [nodes.raw("", drawn(at), format="html")]


class ConceptMap(Directive):
    """```{concept-map} economy```: a diagram of `book/concepts.yml`, a sign for a verdict on each arrow."""

    required_arguments = 1

    def run(self):
        at = Path(self.state.document.settings.env.srcdir)
        return [nodes.raw("", concepts.drawn(self.arguments[0], at), format="html")]


class ConceptVerdicts(Directive):
    """```{concept-verdicts} economy```: the reasons, a row an arrow."""

    required_arguments = 1

    def run(self):
        at = Path(self.state.document.settings.env.srcdir)
        found = nodes.container()
        lines = concepts.verdicts(self.arguments[0], at).splitlines()
        self.state.nested_parse(StringList(lines, "book/concepts.yml"), 0, found)
        return found.children


def mend_theme(app, exception):
    """What the theme writes is mended where it stands: not all of it passes through a page's context."""
    if exception is None and app.builder.name == "html":
        for page in Path(app.outdir).rglob("*.html"):
            text = page.read_text("utf-8")
            if text != theme.mended(text):
                page.write_text(theme.mended(text), "utf-8")


def setup(app):
    app.add_directive("first-figure", FirstFigure)
    app.add_directive("chapter-map", ChapterMap)
    app.add_directive("concept-map", ConceptMap)
    app.add_directive("concept-verdicts", ConceptVerdicts)
    app.connect("config-inited", without_an_address_no_buttons, priority=100)
    app.connect("builder-inited", lambda app: write_tables(Path(app.srcdir)))
    app.add_node(told, html=(visit_told, visit_plainly))
    app.add_node(source, html=(visit_plainly, visit_plainly))
    app.connect("doctree-read", dot_conclusions)
    app.connect("doctree-read", name_cells)
    app.connect("doctree-read", offer_checks)
    app.connect("doctree-read", open_code_of_solutions)
    app.connect("doctree-read", say_each_source_once)
    app.connect("doctree-read", lambda app, doctree: keep_marks(doctree, told, nodes.math), priority=900)
    app.connect("html-collect-pages", page_of_claims)
    app.connect("build-finished", offer_lab_notebooks)
    app.connect("build-finished", mend_theme)
    app.connect("html-page-context", finish, priority=900)
    for name in ("claim", "quiet"):
        app.add_role(name, claim_role)
    app.add_role("cited", cited_role)
    return {"version": "2", "parallel_read_safe": True, "parallel_write_safe": True}
