"""The measures of quality, on plain lists of numbers."""

import math


def ranks(values):
    """Ranks from 1; equals share their mean."""
    order = sorted(range(len(values)), key=values.__getitem__)
    result = [0.0] * len(values)
    begin = 0
    while begin < len(order):
        end = begin
        while end < len(order) and values[order[end]] == values[order[begin]]:
            end += 1
        for i in order[begin:end]:
            result[i] = (begin + end + 1) / 2
        begin = end
    return result


def spearman(a, b):
    """Rank correlation of two lists, from -1 to 1."""
    a, b = ranks(a), ranks(b)
    mean = (len(a) + 1) / 2
    covariance = sum((x - mean) * (y - mean) for x, y in zip(a, b))
    return covariance / math.sqrt(sum((x - mean) ** 2 for x in a) * sum((y - mean) ** 2 for y in b))


def ndcg(ranked, relevance, depth):
    """Normalised discounted cumulative gain of the first DEPTH of a ranking, by {document: grade}."""
    gain = sum(relevance.get(document, 0) / math.log2(i + 2) for i, document in enumerate(ranked[:depth]))
    best = sorted(relevance.values(), reverse=True)[:depth]
    return gain / sum(grade / math.log2(i + 2) for i, grade in enumerate(best))


def summary(values):
    """Mean, first percentile (a hundredth of the values lie below it; of fewer than 100 it is the least), and least."""
    values = sorted(values)
    return {"mean": math.fsum(values) / len(values), "p1": values[len(values) // 100], "min": values[0]}
