"""A framework in another process: what is asked there comes back as arrays, and errors in one line."""

import sys

import numpy as np
import pytest

from recsys.book.elsewhere import Elsewhere


@pytest.fixture(scope="module", params=["torch", "paddle"])
def other(request):
    process = Elsewhere(request.param)
    yield process
    process.close()


def test_arrays_go_there_and_come_back(other):
    given = np.arange(6, dtype=np.float64).reshape(2, 3)
    source = f"make = torch.from_numpy if {other.framework == 'torch'} else paddle.to_tensor\n{{'twice': (2 * make(x), [3])}}"
    answer = other(source, x=given)
    np.testing.assert_array_equal(answer["twice"][0], 2 * given)
    assert answer["twice"][1] == [3]


def test_names_stay_from_call_to_call_and_statements_give_nothing(other):
    assert other("kept = 3") is None
    assert other("kept + 1") == 4


def test_an_error_there_is_one_line_here_and_the_process_goes_on(other):
    with pytest.raises(RuntimeError, match=r"^ZeroDivisionError: division by zero$"):
        other("1 / 0")
    assert other("2") == 2


def test_what_it_prints_is_no_answer(other):
    assert other("print('noise')\n5") == 5


def test_it_is_really_another_process(other):
    before = set(sys.modules) & {"torch", "paddle"}
    assert type(other(f"{other.framework}.__version__")) is str and type(other(f"{other.framework}.ones([2]).shape")) in (list, tuple)
    loaded = other("import sys; sorted({'torch', 'paddle'} & set(sys.modules))")
    assert loaded == [other.framework] and set(sys.modules) & {"torch", "paddle"} == before


def test_what_is_neither_tensor_number_nor_text_is_refused_and_the_process_goes_on(other):
    with pytest.raises(RuntimeError, match="TypeError: expected tensors, numbers or text, got function"):
        other("lambda: 1")
    assert other("2") == 2
