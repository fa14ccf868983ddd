"""No line of a page begins with the full stop of the line above it."""

from docutils import nodes

from recsys.book.page.kept import keep_marks


def kept(*parts):
    paragraph = nodes.paragraph("", "", *parts)
    keep_marks(paragraph, nodes.math)
    return paragraph, [box.astext() for box in paragraph.findall(nodes.inline)]


def test_the_marks_that_touch_a_formula_stay_with_it_and_no_word_is_lost():
    parts = [nodes.Text("the age term ("), nodes.math("", "a"), nodes.Text("), gives "), nodes.math("", "b")]
    paragraph, boxes = kept(*parts, nodes.Text(". So"))
    assert boxes == ["(a),", "b."]
    assert paragraph.astext() == "the age term (a), gives b. So"


def test_a_formula_among_words_stands_as_it_was():
    paragraph, boxes = kept(nodes.math("", "a"), nodes.Text(" is ("), nodes.emphasis("", "not"), nodes.Text(")"))
    assert boxes == [] and paragraph.astext() == "a is (not)"


def test_formulas_that_touch_are_two():
    paragraph, boxes = kept(nodes.math("", "a"), nodes.Text(":"), nodes.math("", "b"), nodes.Text("."))
    assert boxes == ["a:", "b."] and paragraph.astext() == "a:b."


def test_equal_texts_are_told_apart_by_their_place():
    some = [nodes.math("", letter) if letter.isalpha() else nodes.Text(letter) for letter in ("a", ", ", "b", ", ", "c")]
    paragraph, boxes = kept(*some)
    assert boxes == ["a,", "b,"] and paragraph.astext() == "a, b, c"
