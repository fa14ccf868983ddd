"""What the book's extension makes of a page, beside what Sphinx makes of it."""
