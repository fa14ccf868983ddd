"""The theme's pages: without the script of all icons, with a name for what opens the pages below."""

from recsys.book.page.theme import mended

PAGE = """<head><link rel="preload" as="script" href="../_static/scripts/fontawesome.js?digest=1"/>
<script defer src="../_static/scripts/fontawesome.js?digest=1"></script><script src="book.js"></script></head>
<div class="sidebar-primary-item">
<a class="navbar-brand logo" href="index.html">B</a></div><div class="sidebar-primary-item"><nav></nav></div>
<details><summary><span class="toctree-toggle"></span></summary></details><details><summary>Notes</summary></details>
<div role="list" class="citation-list"><div class="citation" id="id2" role="doc-biblioentry"></div></div>"""


def test_the_script_of_all_icons_goes_and_no_other():
    assert "fontawesome.js" not in mended(PAGE) and 'src="book.js"' in mended(PAGE)


def test_what_had_no_name_has_one_and_roles_that_are_no_more_go():
    made = mended(PAGE)
    assert made.count("aria-label=") == 2 and "<summary>Notes</summary>" in made
    assert made.count('role="navigation"') == 1 and "doc-biblioentry" not in made and 'role="list"' not in made


def test_a_page_that_is_mended_stays_as_it_is():
    assert mended(mended(PAGE)) == mended(PAGE)
