"""Notebooks for JupyterLab: the book's own, in Markdown that Lab renders by itself.

Lab knows no directive and no role of the pages. `recsys lab` writes each notebook once
more with included code as code, citations as author and year, numbers without the names
of their claims, and solutions folded.
"""

from recsys.book.lab.writing import (
    FOLDERS,
    as_json,
    lab_notebook,
    read_book,
    write_notebooks,
)

__all__ = ["FOLDERS", "as_json", "lab_notebook", "read_book", "write_notebooks"]
