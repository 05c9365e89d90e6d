"""Compares two methods of a run again from its records, in numpy and scipy.

    compare.py RUN_DIR METHOD_A METHOD_B

Prints a JSON list with one object for every data set: dataset, value_a, value_b, difference, low, high, p, p_adjusted, wins, losses, ties.
Segmentation: pooled mIoU, its paired bootstrap, and scipy's permutation test of per-image mIoU. Explain: the pointing game over
the classes seen, and McNemar's test as scipy's exact binomial test. Needs numpy and scipy.
"""

import json
import sys

import numpy as np
from scipy import stats


def records(run):
    with open(run + "/records.jsonl") as f:
        next(f)
        rows = {(r["dataset"], r["index"]): r for r in map(json.loads, f) if "error" not in r}
    return [rows[k] for k in sorted(rows)]


def areas(record, method, classes):
    """[3, classes]: intersection, truth, prediction of one image."""
    out = np.zeros((3, classes), dtype=np.int64)
    for t, p, n in record["methods"][method].get("confusion", []):
        out[1, t] += n
        if p < classes:
            out[2, p] += n
        if t == p:
            out[0, t] += n
    return out


def miou(a):
    union = a[1] + a[2] - a[0]
    seen = union > 0
    return np.mean(a[0][seen] / union[seen])


def segmentation(of, a, b, classes):
    each = np.array([[areas(r, m, classes) for r in of] for m in (a, b)])
    alone = np.array([[miou(x) for x in side] for side in each])
    diffs = alone[1] - alone[0]
    values = [miou(side.sum(0)) for side in each]
    rng = np.random.default_rng(1)
    draws = rng.integers(0, len(of), (20000, len(of)))
    boot = np.array([miou(each[1][d].sum(0)) - miou(each[0][d].sum(0)) for d in draws])
    p = stats.permutation_test((diffs,), np.sum, permutation_type="samples", n_resamples=np.inf).pvalue
    low, high = np.quantile(boot, [0.025, 0.975])
    return values, p, {"low": low, "high": high, "wins": int((diffs > 0).sum()), "losses": int((diffs < 0).sum()), "ties": int((diffs == 0).sum())}


def pointing(of, a, b):
    events = [{(i, p["class"]): p["outcome"] for i, r in enumerate(of) for p in r["methods"][m]["points"] if p["outcome"] != 0} for m in (a, b)]
    values = []
    for side in events:
        classes = {c for _, c in side}
        values.append(np.mean([np.mean([o == 1 for (_, k), o in side.items() if k == c]) for c in classes]))
    both = events[0].keys() & events[1].keys()
    only_a = sum(events[0][k] == 1 and events[1][k] != 1 for k in both)
    only_b = sum(events[1][k] == 1 and events[0][k] != 1 for k in both)
    p = stats.binomtest(only_a, only_a + only_b).pvalue if only_a + only_b else 1.0
    return values, p, {"only_a": only_a, "only_b": only_b}


def holm(p):
    out, highest = [0.0] * len(p), 0.0
    for rank, i in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
        highest = max(highest, min(1.0, (len(p) - rank) * p[i]))
        out[i] = highest
    return out


def main():
    run, a, b = sys.argv[1:]
    with open(run + "/results.json") as f:
        results = json.load(f)
    task = results["cells"][0]["task"]
    rows = []
    for d in results["datasets"]:
        of = [r for r in records(run) if r["dataset"] == d["name"]]
        values, p, more = segmentation(of, a, b, len(d["classes"])) if task == "segmentation" else pointing(of, a, b)
        rows.append({"dataset": d["name"], "value_a": values[0], "value_b": values[1], "difference": values[1] - values[0], "p": p, **more})
    for row, q in zip(rows, holm([r["p"] for r in rows])):
        row["p_adjusted"] = q
    print(json.dumps(rows))


if __name__ == "__main__":
    main()
