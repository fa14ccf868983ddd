"""Planted faults in what reads a log of one's own, and in the reasons of a list."""

from mutants import Mutant

FRAMES = ["tests/data/test_own_log.py"]

TESTS = {
    "data/frames.py": FRAMES,
    "data/own_log.py": FRAMES,
    "trust/leave_out.py": ["tests/trust/test_leave_out.py"],
    "evaluation/reference.py": ["tests/evaluation/test_reference.py"],
}


def change(name, file, old, new):
    return Mutant("models", name, file, old, new)


MUTANTS = [
    change("own log: rows stay in the order of the file", "data/frames.py", 'order = np.argsort(exact, kind="stable")', "order = np.arange(len(exact))"),
    change("own log: order of the rounded time", "data/frames.py", 'order = np.argsort(exact, kind="stable")', 'order = np.argsort(counted, kind="stable")'),
    change("own log: vocabulary in the order of the file", "data/frames.py", 'order = np.argsort(ids, kind="stable")', "order = np.arange(len(ids))"),
    change("own log: row is a place, not a label", "data/frames.py", "{index[rows[0]]}", "{rows[0]}"),
    change("own log: blank ids are ids", "data/frames.py", "not cell.strip() for cell", "False for cell"),
    change("own log: milliseconds are seconds", "data/frames.py", 'per_unit = 1000 if time_unit == "millisecond" else 1', "per_unit = 1"),
    change("own log: dates lose their zone", "data/frames.py", "dates.dt.tz_convert(None)", 'dates.dt.tz_convert("Europe/Paris").dt.tz_localize(None)'),
    change("own log: floats beyond their digits are ids", "data/frames.py", "np.abs(floats) > 2.0**n_bits", "np.abs(floats) > np.inf"),
    change("own log: infinite values", "data/frames.py", "column.refuse(~np.isfinite(array)", "column.refuse(np.isnan(array)"),
    change("own log: days at a time of day are days", "data/frames.py", "np.array(days if are_days else texts", "np.array([text[:10] for text in texts]"),
    change("own log: line numbers count records", "data/own_log.py", "line = reader.line_num + 1", "line += 1"),
    change("own log: header is line 0", "data/own_log.py", "    line = 1\n", "    line = 0\n"),
    change("own log: 007 is 7", "data/own_log.py", "0|-?[1-9][0-9]{0,17}", "-?[0-9]{1,18}"),
    change("own log: short lines are filled in", "data/own_log.py", "if len(fields) != len(header):", "if len(fields) > len(header):"),
    change("own log: an open quote takes the rest", "data/own_log.py", "delimiter=separator, strict=True", "delimiter=separator"),
    change("own log: commas only", "data/own_log.py", "separator = max(SEPARATORS, key=first.count)", 'separator = ","'),

    change("reasons: the wrong event is left out", "trust/leave_out.py", "place != copies.users", "place != n - 1 - copies.users"),
    change("reasons: scores, not leads", "trust/leave_out.py", "scores - scores.mean(axis=1, keepdims=True)", "scores"),
    change("reasons: the event that costs least", "trust/leave_out.py", ".argmax(axis=0)", ".argmin(axis=0)"),
    change("reasons: one is always given", "trust/leave_out.py", "if loss > 0 else None", "if loss >= 0 else None"),
    change("leads: the other way round", "evaluation/reference.py", "paired_test(results[reference][metric], results[name][metric])",
           "paired_test(results[name][metric], results[reference][metric])"),
    change("leads: p-values one by one", "evaluation/reference.py", "holm([test.p_value for test in tests])",
           "__import__('numpy').array([test.p_value for test in tests])"),
]  # fmt: skip
