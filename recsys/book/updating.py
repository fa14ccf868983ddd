"""`recsys reproduce --update`: what notebooks print is stored, and numbers in prose follow."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from recsys.book import claimed as book_claims
from recsys.book.figures import first_stored
from recsys.book.passes import expected, last_pass
from recsys.book.readme import rewrite_numbers
from recsys.book.reproduce import (
    CELL_TIMEOUT_SECONDS,
    Say,
    chosen,
    claims_log,
    environment,
    read_log,
    told,
)
from recsys.book.root import pages


def update(at: Path, say: Say = print, names: Sequence[str] = ()) -> list[str]:
    """Execute notebooks, rewrite outputs, claims and numbers in prose.

    Args:
        at: the checkout.
        say: is told what runs and what is left.
        names: of the notebooks to execute; all if there are none.

    Returns:
        What changed, a line each.

    Raises:
        ValueError: no notebook of that name.
    """
    paths = chosen(at, names)
    jobs = {path.stem: partial(_stored, at, path) for path in paths}
    before = last_pass(at).get("notebooks", {})
    done = {name: found for name, found, _ in told(jobs, expected(at, before), say)}
    came = [
        done[path.stem] for path in paths
    ]  # a claim made twice: the later chapter's
    changed = book_claims.update_claims(
        at, {id: value for found in came for id, value in found.items()}
    )
    return changed + _rewrite_prose(at) + _redraw_answer(at)


def _redraw_answer(at: Path) -> list[str]:
    """The README's picture is the first figure of *What does attention buy?*."""
    picture, drawn = at / "book" / "answer.svg", at / "notebooks" / "worth.ipynb"
    if not drawn.is_file():
        return []
    svg = first_stored(drawn).wide
    if picture.is_file() and picture.read_text("utf-8") == svg:
        return []
    picture.write_text(svg, "utf-8")
    return ["book/answer.svg"]


def _rewrite_prose(at: Path) -> list[str]:
    """Fill the numbers of every page and of the README; tell which changed."""
    claims, changed = book_claims.read_claims(at), []
    for page in [*pages(at), at / "README.md"]:
        text = page.read_text("utf-8")
        if page.name == "README.md":
            new = rewrite_numbers(text, claims)
        elif page.suffix == ".ipynb":
            new = rewrite_notebook(text, claims)
        else:
            new = book_claims.rewrite_roles(text, claims)
        if new != text:
            page.write_text(new, "utf-8")
            changed.append(f"prose of {page.relative_to(at)}")
    return changed


def _stored(at: Path, notebook: Path) -> dict[str, float]:
    """Execute one notebook and store what it prints; its claims."""
    log = claims_log(at, notebook.stem)
    variables = {**environment(), book_claims.LOG: str(log), "RECSYS_UPDATE": "1"}
    store_outputs(notebook, variables)
    return read_log(log)


def store_outputs(notebook: Path, variables: dict[str, str]) -> None:
    """Run a notebook in a kernel of its own; store its output without times or machine details."""
    import nbformat
    from nbclient import NotebookClient

    content = nbformat.read(notebook, as_version=4)
    client = NotebookClient(
        content,
        timeout=CELL_TIMEOUT_SECONDS,
        kernel_name="python3",
        record_timing=False,
        resources={"metadata": {"path": str(notebook.parent)}},
    )
    with client.setup_kernel(env=variables):
        for index, cell in enumerate(content.cells):
            client.execute_cell(cell, index)
    content.metadata = {
        "kernelspec": {
            "display_name": "Python 3",
            "language": "python",
            "name": "python3",
        },
        "language_info": {"name": "python"},
    }
    for cell in content.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type == "code":
            cell.outputs = coalesced(cell.outputs)
    nbformat.write(content, notebook)


def coalesced(outputs: list) -> list:
    """Stream outputs of one name joined, since their pieces differ from run to run."""
    joined: list = []
    for output in outputs:
        if (
            joined
            and output.output_type == "stream" == joined[-1].output_type
            and output.name == joined[-1].name
        ):
            joined[-1].text += output.text
        else:
            joined.append(output)
    return joined


def rewrite_notebook(text: str, claims: dict) -> str:
    """A notebook's JSON with the claim roles of its text cells filled."""
    content = json.loads(text)
    for cell in content["cells"]:
        if cell["cell_type"] == "markdown":
            filled = book_claims.rewrite_roles("".join(cell["source"]), claims)
            cell["source"] = re.findall(r"[^\n]*\n|[^\n]+$", filled)
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"
