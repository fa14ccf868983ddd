"""The book's small Sphinx extension: claim and cited numbers, and what its download buttons give."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes
from docutils.parsers.rst import Directive

from recsys.book.chapter_map import drawn
from recsys.book.claimed import agrees, as_written, read_claims
from recsys.book.lab import as_json, lab_notebook, read_book
from recsys.book.lint import citation_keys
from recsys.book.root import notebooks
from recsys.book.status import write_tables


def claim_role(name, rawtext, text, lineno, inliner, options=None, content=None):
    """{claim}`0.107 <id>`: the number, marked with what it says; a warning where the claim disagrees."""
    at = Path(inliner.document.settings.env.srcdir)
    match = re.fullmatch(r"(.+?)\s*<([\w.@-]+)>", text, re.S)
    claims = read_claims(at)
    if not match or match.group(2) not in claims:
        return [], [inliner.reporter.error(f"claim role: expected NUMBER <id of book/claims.yml>, found {text!r}", line=lineno)]
    shown, claim = match.group(1), claims[match.group(2)]
    if not agrees(shown, claim):
        return [], [inliner.reporter.error(f"claim {claim.id}: the text says {shown}, the book has {as_written(shown, claim)}; "
                                           "run recsys reproduce --update", line=lineno)]
    source = f"study {claim.study}" if claim.study else f"{claim.kind}, tolerance {claim.tolerance:g}"
    node = nodes.abbreviation(rawtext, shown, explanation=f"{claim.says} [{source}]",
                              classes=["claim"])
    return [node], []


def cited_role(name, rawtext, text, lineno, inliner, options=None, content=None):
    """{cited}`0.107 <key>`: a number of somebody else, whose source is in the bibliography."""
    match = re.fullmatch(r"(.+?)\s*<([\w.:-]+)>", text, re.S)
    at = Path(inliner.document.settings.env.srcdir)
    if not match or match.group(2) not in citation_keys(at):
        return [], [inliner.reporter.error(f"cited role: expected NUMBER <key of the bibliography>, found {text!r}", line=lineno)]
    return [nodes.inline(rawtext, match.group(1), classes=["cited"])], []


def without_thebe(app, pagename, templatename, context, doctree):
    """Drop the scripts of a live-code service that the book does not use and that needs a network."""
    def kept(asset):
        return "thebe" not in f"{getattr(asset, 'filename', asset)} {getattr(asset, 'attributes', '')}".lower()

    for kind in ("script_files", "css_files"):
        context[kind] = [asset for asset in context.get(kind, []) if kept(asset)]


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


def setup(app):
    app.add_directive("first-figure", FirstFigure)
    app.add_directive("chapter-map", ChapterMap)
    app.connect("config-inited", without_an_address_no_buttons, priority=100)
    app.connect("builder-inited", lambda app: write_tables(Path(app.srcdir)))
    app.connect("build-finished", offer_lab_notebooks)
    app.connect("html-page-context", without_thebe, priority=900)
    app.add_role("claim", claim_role)
    app.add_role("cited", cited_role)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
