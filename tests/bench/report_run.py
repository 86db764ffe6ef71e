"""Runs a report of bench with figures made up, and keeps what it would have drawn: charts need matplotlib, tests do not."""

import contextlib
import io
import json
import pathlib
import runpy
import sys
import types
from unittest import mock

BENCH = pathlib.Path(__file__).resolve().parents[2] / "bench"
# In place of bench/charts.py: a chart is the arguments that it would be drawn of.
CHARTS = types.SimpleNamespace(**{name: lambda *arguments, name=name: json.dumps([name, *arguments])
                                  for name in ("bars", "points", "ratios")})


def run(name, result, root, *options):
    """Of bench/NAME/report.py with figures and the folder of the documents: (exit code, what it printed and complained)."""
    figures = root / "figures.json"
    figures.write_text(json.dumps(result))
    script = str(BENCH / name / "report.py")
    printed, code = io.StringIO(), 0
    with mock.patch.dict(sys.modules, charts=CHARTS), mock.patch.object(sys, "path", list(sys.path)), \
            mock.patch.object(sys, "argv", [script, str(figures), "--root", str(root), *options]), \
            contextlib.redirect_stdout(printed):
        try:
            runpy.run_path(script, run_name="__main__")
        except SystemExit as end:
            code = end.code or 0
    if isinstance(code, str):  # As the interpreter does.
        return 1, printed.getvalue() + code
    return code, printed.getvalue()


def chart(path):
    """(kind, title, below, rows...) of a chart that a report wrote."""
    return json.loads(path.read_text())
