"""The book's small Sphinx extension: claim and cited numbers, and what its download buttons give."""

from __future__ import annotations

import re
from pathlib import Path

from docutils import nodes

from recsys.book.claimed import agrees, as_written, read_claims
from recsys.book.lab import as_json, lab_notebook, read_book
from recsys.book.lint import citation_keys
from recsys.book.root import notebooks


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


def offer_lab_notebooks(app, exception):
    """The download button of a chapter gives the notebook that JupyterLab renders by itself."""
    if exception is None and app.builder.name == "html":
        at, given = Path(app.srcdir), Path(app.outdir) / "_sources" / "notebooks"
        book = read_book(at)
        for notebook in notebooks(at):
            (given / notebook.name).write_text(as_json(lab_notebook(notebook, book)), "utf-8")


def setup(app):
    app.connect("build-finished", offer_lab_notebooks)
    app.connect("html-page-context", without_thebe, priority=900)
    app.add_role("claim", claim_role)
    app.add_role("cited", cited_role)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
