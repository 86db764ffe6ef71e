"""Charts for the documents, as SVG: white, so that they can be read in any theme, and the same bytes for the same figures.

bench/report.sh installs matplotlib. Sizes below are in points. Bars and points have ids, by which tests/bench/charts_test.py
finds them.
"""

import io
import math
import re

import matplotlib
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from reports import megabytes

WIDTH, HEAD, FOOT, STEP, LETTER = 600, 46, 40, 19, 5.3
COLOURS = {"own": "#0a7d5a", "peer": "#7f9cbd", "reported": "#d58a4f"}
TEXT, PALE, GRID = "#24292f", "#57606a", "#d8dee4"
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "thimble", "font.sans-serif": ["DejaVu Sans"], "font.size": 9,
         "text.color": TEXT, "axes.labelcolor": PALE, "axes.edgecolor": GRID, "xtick.color": PALE, "ytick.color": TEXT,
         "ytick.left": False, "axes.axisbelow": True, "axes.spines.left": False, "axes.spines.right": False,
         "axes.spines.top": False, "grid.color": GRID, "grid.linewidth": 0.6, "legend.frameon": False,
         "legend.fontsize": 8.5}


def unit(size):
    """A power of ten of bytes, for an axis."""
    return f"{size / 1e9:g} GB" if size >= 1e9 else f"{size / 1e6:g} MB"


class Chart:
    """A figure with a title, and the line below it that says what is shown."""

    def __init__(self, title, below, height):
        self.figure, self.title, self.height = Figure(figsize=(WIDTH / 72, height / 72)), title, height
        FigureCanvasAgg(self.figure)  # Measures texts.
        self.figure.text(10 / WIDTH, 1 - 16 / height, title, fontsize=11, fontweight="bold", va="baseline")
        self.figure.text(10 / WIDTH, 1 - 31 / height, below, color=PALE, va="baseline")

    def axes(self, left, right, top, bottom, **options):
        """Axes with these margins."""
        box = (left / WIDTH, bottom / self.height, 1 - (left + right) / WIDTH, 1 - (top + bottom) / self.height)
        return self.figure.add_axes(box, **options)

    def legend(self, names):
        """What the kinds of bars or points are called, beside the title."""
        handles = [Patch(color=COLOURS[kind], label=name) for kind, name in names.items()]
        self.figure.legend(handles=handles, loc="upper right", bbox_to_anchor=(1 - 6 / WIDTH, 1 - 4 / self.height),
                           borderaxespad=0, borderpad=0, handlelength=1, handleheight=1, labelspacing=0.3)

    def svg(self):
        file = io.StringIO()
        self.figure.savefig(file, format="svg", metadata={"Title": self.title, "Date": None, "Creator": None})
        return re.sub(r"\n(?=[LCQMz\"])", " ", file.getvalue())  # An outline on one line.


def horizontal(axes, rows):
    """Bars from the left edge, the first at the top; rows of (name, value, kind, words behind the bar)."""
    low = axes.get_xlim()[0]
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_yticks(range(len(rows)), [name for name, *_ in rows])
    axes.grid(axis="x")
    axes.tick_params(axis="both", length=0)
    for i, (name, value, kind, words) in enumerate(rows):
        axes.barh(i, value - low, left=low, height=0.68, color=COLOURS[kind], gid=f"bar-{len(axes.figure.axes)}-{i}")
        axes.annotate(words, (value, i), (4, 0), textcoords="offset points", va="center", fontsize=8.5)


@matplotlib.rc_context(STYLE)
def bars(title, below, rows, names, low=1e5, high=1e10):
    """Bytes on a logarithmic axis from `low` to `high`; rows of (name, bytes, kind), and what the kinds own, peer and
    reported are called."""
    chart = Chart(title, below, HEAD + STEP * len(rows) + FOOT)
    axes = chart.axes(max(len(name) for name, *_ in rows) * LETTER + 8, 34, HEAD, FOOT, xscale="log", xlim=(low, high))
    powers = [10.0**power for power in range(round(math.log10(low)), round(math.log10(high)) + 1)]
    axes.set_xticks(powers, [unit(power) for power in powers])
    axes.set_xticks([], minor=True)
    axes.set_xlabel("bytes, on a logarithmic axis", fontsize=8.5)
    horizontal(axes, [(name, max(size, low), kind, f"{megabytes(size)} MB") for name, size, kind in rows])
    chart.legend(names)
    return chart.svg()


@matplotlib.rc_context(STYLE)
def ratios(title, below, groups):
    """Ratios on an axis from 0, in groups of (title, rows); rows of (name, ratio, note)."""
    height = HEAD + sum(STEP * len(rows) + 22 for _, rows in groups) + FOOT - 10
    chart = Chart(title, below, height)
    most = math.ceil(2 * max(ratio for _, rows in groups for _, ratio, _ in rows)) / 2
    top = HEAD
    for number, (name, rows) in enumerate(groups):
        top += 22
        axes = chart.axes(100, 170, top, height - top - STEP * len(rows), xlim=(0, most))
        axes.set_title(name, loc="left", x=-90 / (WIDTH - 270), fontsize=9, fontweight="bold", pad=4)
        horizontal(axes, [(row, ratio, "own", f"{ratio:.2f}  {note}") for row, ratio, note in rows])
        axes.axvline(1, color=PALE, linewidth=0.9)
        if number + 1 < len(groups):
            axes.tick_params(labelbottom=False)
        top += STEP * len(rows)
    axes.set_xlabel("ratio of times; thimble takes 1", fontsize=8.5)
    return chart.svg()


@matplotlib.rc_context(STYLE)
def points(title, below, rows, names):
    """Errors on a logarithmic axis, the least at the top, over bytes; rows of (name, bytes, error, kind), and what the
    kinds own and peer are called."""
    chart = Chart(title, below, 340)
    sizes, errors = [size / 1e6 for _, size, _, _ in rows], [error for _, _, error, _ in rows]
    step = 10 if max(sizes) < 60 else 20
    low, high = math.floor(math.log10(min(errors))), math.ceil(math.log10(max(errors)))
    axes = chart.axes(58, 16, HEAD + 4, FOOT, yscale="log", xlim=(0, step * math.ceil(max(sizes) / step + 0.5)),
                      ylim=(10.0**high, 10.0**low))
    powers = [10.0**power for power in range(low, high + 1)]
    axes.set_yticks(powers, [f"{power:g}" for power in powers], color=PALE)
    axes.set_yticks([], minor=True)
    axes.grid()
    axes.tick_params(axis="both", length=0)
    axes.set_xlabel("model file, MB", fontsize=8.5)
    axes.set_ylabel("1 - mean cosine", fontsize=8.5)
    marks = [axes.plot(size / 1e6, error, "o", color=COLOURS[kind], markersize=6.5, clip_on=False, gid=f"point-{i}")[0]
             for i, (_, size, error, kind) in enumerate(rows)]
    taken = [mark.get_window_extent() for mark in marks]
    for name, size, error, _ in sorted(rows, key=lambda row: row[2]):
        # A label moves up or down as little as possible, so that it covers nothing.
        for up in sorted(range(-200, 200), key=abs):
            label = axes.annotate(name, (size / 1e6, error), (7, up - 3), textcoords="offset points")
            if not any(label.get_window_extent().overlaps(box) for box in taken):
                break
            label.remove()
        taken.append(label.get_window_extent())
    chart.legend(names)
    return chart.svg()
