"""Charts for the documents, as SVG that follows the reader's light or dark theme, and tables between markers in them."""

import html
import math


def megabytes(size):
    value = size / 1e6
    return f"{value:.2f}" if abs(value) < 10 else f"{value:.1f}" if value < 100 else f"{value:,.0f}"


def head(width, height, label, below):
    """The beginning of a chart: its size, colours and titles."""
    return [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" aria-label="{label}, {below}" '
        'font-family="sans-serif" font-size="13">',
        "<style>text{fill:#222}.grid{stroke:#ccc}.own{fill:#0a7d5a}.peer{fill:#5b7fa6}.reported{fill:#c8662b}"
        "@media(prefers-color-scheme:dark){text{fill:#ddd}.grid{stroke:#444}.own{fill:#3fbf94}"
        ".peer{fill:#7fa8d6}.reported{fill:#e58f57}}</style>",
        f'<text x="12" y="22" font-size="15" font-weight="bold">{label}</text>',
        f'<text x="12" y="42">{below}</text>',
    ]


def bars(label, below, rows, low=-1, high=4):
    """Horizontal bars of bytes on a logarithmic axis from 10^low to 10^high megabytes; rows of (name, bytes, kind), of
    which the kinds own, peer and reported have a colour each."""
    left, right, top, step = 250, 90, 72, 24
    width, height = 760, top + step * len(rows) + 36
    scale = (width - left - right) / (high - low)

    def x(size):
        return left + (math.log10(max(size / 1e6, 10**low)) - low) * scale

    parts = head(width, height, label, below)
    for power in range(low, high + 1):
        position = x(10.0**power * 1e6)
        name = f"{10.0**power:g} MB" if power < 3 else f"{10.0**(power - 3):g} GB"
        parts.append(f'<line class="grid" x1="{position:.1f}" y1="{top - 8}" x2="{position:.1f}" y2="{height - 28}"/>')
        parts.append(f'<text x="{position:.1f}" y="{height - 10}" text-anchor="middle">{name}</text>')
    for i, (name, size, kind) in enumerate(rows):
        y = top + step * i
        parts.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{html.escape(name)}</text>')
        parts.append(f'<rect class="{kind}" x="{left}" y="{y}" width="{x(size) - left:.1f}" height="16"/>')
        parts.append(f'<text x="{x(size) + 6:.1f}" y="{y + 12}">{megabytes(size)} MB</text>')
    return "\n".join(parts) + "\n</svg>\n"


def points(label, below, rows):
    """Errors on a logarithmic axis, least at the top, over bytes; rows of (name, bytes, error, kind), of which the kinds
    own and peer have a colour each."""
    left, right, top, bottom, width, height = 66, 30, 62, 44, 760, 420
    step = 10 if max(size for _, size, _, _ in rows) < 60e6 else 20
    most = step * math.ceil(max(size for _, size, _, _ in rows) / 1e6 / step + 0.5)
    low = math.floor(math.log10(min(error for _, _, error, _ in rows)))
    high = math.ceil(math.log10(max(error for _, _, error, _ in rows)))

    def x(size):
        return left + size / 1e6 / most * (width - left - right)

    def y(error):
        return top + (math.log10(error) - low) / (high - low) * (height - top - bottom)

    parts = head(width, height, label, below)
    for power in range(low, high + 1):
        position = y(10.0**power)
        parts.append(f'<line class="grid" x1="{left}" y1="{position:.1f}" x2="{width - right}" y2="{position:.1f}"/>')
        parts.append(f'<text x="{left - 8}" y="{position + 4:.1f}" text-anchor="end">{10.0**power:g}</text>')
    for size in range(0, most + 1, step):
        position = x(size * 1e6)
        parts.append(f'<line class="grid" x1="{position:.1f}" y1="{top}" x2="{position:.1f}" y2="{height - bottom}"/>')
        parts.append(f'<text x="{position:.1f}" y="{height - bottom + 20}" text-anchor="middle">{size} MB</text>')
    boxes = []  # Of labels, as (left, right, baseline).
    for name, size, error, kind in sorted(rows, key=lambda row: row[2]):
        parts.append(f'<circle class="{kind}" cx="{x(size):.1f}" cy="{y(error):.1f}" r="5"/>')
        begin, end, baseline = x(size) + 9, x(size) + 9 + 7.2 * len(name), y(error) + 4
        while any(begin < right and end > left and abs(baseline - other) < 14 for left, right, other in boxes):
            baseline += 1
        boxes.append((begin, end, baseline))
        parts.append(f'<text x="{begin:.1f}" y="{baseline:.1f}">{html.escape(name)}</text>')
    return "\n".join(parts) + "\n</svg>\n"


def ratios(label, below, groups):
    """Horizontal bars of ratios on an axis from 0, in groups of (title, rows); rows of (name, ratio, note)."""
    left, right, top, step = 110, 250, 66, 22
    width, height = 760, top + sum(step * len(rows) + 34 for _, rows in groups) + 24
    most = math.ceil(2 * max(ratio for _, rows in groups for _, ratio, _ in rows)) / 2
    unit = 0.5 if most <= 4 else 1

    def x(ratio):
        return left + ratio / most * (width - left - right)

    parts = head(width, height, label, below)
    for i in range(int(most / unit) + 1):
        position = x(i * unit)
        parts.append(f'<line class="grid" x1="{position:.1f}" y1="{top - 8}" x2="{position:.1f}" y2="{height - 28}"/>')
        parts.append(f'<text x="{position:.1f}" y="{height - 10}" text-anchor="middle">{i * unit:g}</text>')
    y = top
    for title, rows in groups:
        parts.append(f'<text x="12" y="{y + 12}" font-weight="bold">{html.escape(title)}</text>')
        y += 24
        for name, ratio, note in rows:
            parts.append(f'<text x="{left - 8}" y="{y + 12}" text-anchor="end">{html.escape(name)}</text>')
            parts.append(f'<rect class="own" x="{left}" y="{y}" width="{x(ratio) - left:.1f}" height="15"/>')
            parts.append(f'<text x="{x(ratio) + 6:.1f}" y="{y + 12}">{ratio:.2f} {html.escape(note)}</text>')
            y += step
        y += 10
    return "\n".join(parts) + "\n</svg>\n"


def replaced(path, name, contents):
    """The text of a document, with other contents between its lines <!-- name --> and <!-- /name -->."""
    first, last = f"<!-- {name} -->\n", f"<!-- /{name} -->\n"
    text = path.read_text()
    begin, end = text.find(first), text.find(last)
    if begin < 0 or end < begin:
        raise SystemExit(f"{path}: expected the lines {first.strip()} and {last.strip()}")
    return text[:begin + len(first)] + contents + text[end:]


def update(new, check):
    """Writes files {path: text} that differ, or with `check` only names them; the exit code: 1 when a check finds any."""
    different = [path for path, text in new.items() if not path.exists() or path.read_text() != text]
    for path in different:
        print(f"{path}: {'differs' if check else 'written'}")
        if not check:
            path.write_text(new[path])
    return 1 if check and different else 0
