"""What nothing rendered is found on a built page: each kind planted once, and then all pages."""

import pytest

from recsys.book.page.leftovers import leftovers
from tests.conftest import ROOT

BUILT = ROOT / "_build" / "html"
OPENS = ('<button type="button" class="claim" popovertarget="told-1">0.2</button>'
         '<span popover id="told-1" class="told">x <a href="c.html">All</a></span>')

RIGHT = f"""<p>It is {OPENS}, or <span class="quiet">0.3</span> (<span class="cited">0.4</span>).</p>
<p>Of 3.5 and .216, see <code>{{claim}}`0.1 &lt;a&gt;`</code>, <span class="math notranslate">\\(x_1 \\frac12\\)</span>.</p>
<pre>$x_1$ ```</pre><script>`\\n`</script><p>It costs $5 or 6$. <a class="reference external" href="x">doi:a.123</a></p>"""

PLANTED = {
    "a number without a space": f"<p>no interval here{OPENS}</p>",
    "a number without a space: ": f"<p>{OPENS}and on</p>",
    "a number without a space:": '<p>as<span class="quiet">0.2</span></p>',
    "a role or a directive": "<p>{claim}0.216</p>",
    "half of a role": "<p>no interval here.216 &lt;shop.study.known&gt;`.</p>",
    "a result after a letter": "<p>no interval here.216 of them</p>",
    "a fence": "<p>:::{note}\nhello</p>",
    "a backquote": "<p>the `name</p>",
    "LaTeX": "<p>a rate \\alpha of it</p>",
    "LaTeX: ": "<p>top-$k_1$ of it</p>",
    "emphasis": "<p>a **bold word</p><p>more**</p>".replace("</p><p>", " "),
}


def test_a_page_without_leftovers_has_none():
    assert list(leftovers(RIGHT)) == []


@pytest.mark.parametrize("kind", PLANTED)
def test_each_leftover_is_found(kind):
    assert any(found.startswith(kind.strip(": ")) for found in leftovers(RIGHT + PLANTED[kind]))


def test_no_page_has_a_leftover():
    pages = sorted([*BUILT.glob("book/**/*.html"), *BUILT.glob("notebooks/*.html")])
    assert pages, "the book is not built: run make book (make test builds it first)"
    found = {page.name: list(leftovers(page.read_text("utf-8"))) for page in pages}
    assert {name: what for name, what in found.items() if what} == {}
