"""Makes multilabel.json and tags.json: scores, truth and what scikit-learn and written-down rules say.

    sklearn        sklearn.metrics.average_precision_score
    voc07-11pt, voc-envelope   the development kit's formulas in numpy, equal scores in input order
    asl            mean precision at the positives over (number + 1e-8), reversed stable order
    torch          the same as sklearn by torchmetrics' way: cumulative sums at distinct thresholds
    mlgcn          counts with never predicted classes set to one

    python make.py [SEED COUNT OUT]     # recorded with scikit-learn 1.9.1, numpy 2.4.6

With SEED, COUNT and OUT other cases are made for a wider comparison:
OVBENCH_MULTILABEL=OUT go test -run ReferenceMultiLabel ./metrics
"""
import base64, json, pathlib, sys, warnings
import numpy as np
from sklearn.metrics import average_precision_score, precision_recall_fscore_support

warnings.filterwarnings("ignore")
seed, count = (int(sys.argv[1]), int(sys.argv[2])) if len(sys.argv) > 1 else (1, 0)
out = pathlib.Path(sys.argv[3] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
rng = np.random.default_rng(seed)
ABSENT, PRESENT, DIFFICULT = 0, 1, 2


def sklearn_ap(s, t):
    return average_precision_score(t, s) if t.any() else None


def torch_ap(s, t):
    order = np.argsort(-s, kind="stable")
    s, t = s[order], t[order]
    last = np.append(np.nonzero(np.diff(s))[0], len(s) - 1)
    tp = np.cumsum(t)[last]
    recall, precision = tp / t.sum(), tp / (last + 1)
    return float(np.sum(np.diff(recall, prepend=0) * precision))


def curve(s, t):
    order = np.argsort(-s, kind="stable")
    tp = np.cumsum(t[order] == 1)
    return tp / t.sum(), tp / np.arange(1, len(t) + 1)


def voc07(s, t):
    if not t.any():
        return None
    recall, precision = curve(s, t)
    return float(np.mean([precision[recall >= r].max() if (recall >= r).any() else 0 for r in np.arange(0.0, 1.1, 0.1)]))


def envelope(s, t):
    if not t.any():
        return None
    recall, precision = curve(s, t)
    r, p = np.concatenate([[0], recall, [1]]), np.concatenate([[0], precision, [0]])
    p = np.maximum.accumulate(p[::-1])[::-1]
    step = np.nonzero(np.diff(r))[0]
    return float(np.sum((r[step + 1] - r[step]) * p[step + 1]))


def asl(s, t):
    hits = t[np.argsort(s, kind="stable")[::-1]] == 1
    return float(np.sum((np.cumsum(hits) / np.arange(1, len(t) + 1))[hits]) / (hits.sum() + 1e-8))


rules = {"sklearn": sklearn_ap, "voc07-11pt": voc07, "voc-envelope": envelope, "asl": asl}


def asked(s, t, difficult):
    """One class: scores and 0/1 truth under a rule for difficult ones."""
    if difficult == "skip":
        return s[t != DIFFICULT], (t[t != DIFFICULT] == PRESENT).astype(int)
    return s, ((t == PRESENT) | ((t == DIFFICULT) & (difficult == "positive"))).astype(int)


def pack(s):
    return base64.b64encode(np.ascontiguousarray(s, dtype="<f8").tobytes()).decode()


def ap_case(name, s, t):
    want = {}
    for difficult in ("skip", "negative", "positive"):
        want[difficult] = {}
        for rule, ap in rules.items():
            aps = []
            for c in range(s.shape[1]):
                one, truth = asked(s[:, c], t[:, c], difficult)
                aps.append(ap(one, truth) if len(one) else (0.0 if rule == "asl" else None))
                if rule == "sklearn" and aps[-1] is not None and np.isfinite(one).all():
                    assert abs(aps[-1] - torch_ap(one, truth)) < 1e-12
            seen = [x for x in aps if x is not None]
            want[difficult][rule] = {"ap": aps, "map": float(np.mean(seen)) if seen else None}
    # A resample of the images by scikit-learn, on rows that are really repeated.
    times = np.bincount(rng.integers(0, len(s), len(s)), minlength=len(s))
    rows = np.repeat(np.arange(len(s)), times)
    again = {}
    for rule, ap in rules.items():
        aps = [ap(s[rows, c], (t[rows, c] == PRESENT).astype(int)) for c in range(s.shape[1])]
        seen = [x for x in aps if x is not None]
        again[rule] = float(np.mean(seen)) if seen else None
    return {"name": name, "classes": s.shape[1], "scores": pack(s), "truth": t.astype(int).ravel().tolist(), "want": want, "times": times.tolist(), "resampled": again}


def truth_of(n, c, share, difficult=0.0):
    t = (rng.random((n, c)) < share).astype(int)
    return np.where(rng.random((n, c)) < difficult, DIFFICULT, t)


def better(t, noise=1.0):
    return (t == PRESENT) + noise * rng.normal(size=t.shape)


# ---------------------------------------------------------------- tags


def f1(p, r):
    return 2 * p * r / (p + r) if p + r > 0 else 0.0


def tag_scores(rule, predicted, truth):
    predicted, truth = predicted.astype(int), truth.astype(int)
    if rule == "zsl":
        keep = truth.any(1)
        predicted, truth = predicted[keep], truth[keep]
    right = predicted * truth
    with np.errstate(all="ignore"):
        if rule == "mlgcn":
            guesses = np.maximum(1, predicted.sum(0))
            op, orec = right.sum() / guesses.sum(), right.sum() / truth.sum()
            cp, cr = (right.sum(0) / guesses).mean(), (right.sum(0) / truth.sum(0)).mean()
            scores = {"CP": cp, "CR": cr, "CF1": 2 * cp * cr / (cp + cr), "OP": op, "OR": orec, "OF1": 2 * op * orec / (op + orec)}
            return {k: float(v) for k, v in scores.items() if not np.isnan(v)}
    if not truth.any():
        return {}
    seen = truth.any(0)
    cp, cr, _, _ = precision_recall_fscore_support(truth[:, seen], predicted[:, seen], average="macro", zero_division=0) if seen.sum() > 1 else precision_recall_fscore_support(truth[:, seen].ravel(), predicted[:, seen].ravel(), average="binary", zero_division=0)
    op, orec, _, _ = precision_recall_fscore_support(truth.ravel(), predicted.ravel(), average="binary", zero_division=0)
    return {"CP": float(cp), "CR": float(cr), "CF1": float(f1(cp, cr)), "OP": float(op), "OR": float(orec), "OF1": float(f1(op, orec))}


def top(s, k):
    """Exactly k, the lower class first among equals."""
    p = np.zeros(s.shape, bool)
    for i, row in enumerate(s):
        p[i, np.lexsort((np.arange(len(row)), -row))[:k]] = True
    return p


def tag_case(name, s, t):
    truth = t == PRESENT
    predictions = {"0": s >= 0, "0.5": s >= 0.5}
    for k in (1, 3, 5):
        if k <= s.shape[1]:
            predictions[f"top{k}"] = top(s, k)
            predictions[f"top{k} of positive"] = top(s, k) & (s >= 0)
    return {
        "name": name, "classes": s.shape[1], "scores": pack(s), "truth": t.astype(int).ravel().tolist(),
        "unlabelled": int((~truth.any(1)).sum()),
        "want": {how: {rule: tag_scores(rule, p, truth) for rule in ("plain", "zsl", "mlgcn")} for how, p in predictions.items()},
    }


# ---------------------------------------------------------------- cases


def recorded():
    ties = lambda n, c, levels: np.round(rng.random((n, c)) * levels) / levels
    a = lambda *rows: np.array(rows)
    aps = [
        ap_case("one image", a([0.5, 0.5]), a([1, 0])),
        ap_case("all equal", np.zeros((7, 2)), truth_of(7, 2, 0.5)),
        ap_case("both zeros are equal", a([0.0], [-0.0], [0.0], [-1.0]), a([0], [1], [1], [0])),
        ap_case("no positives, all positives, only difficult", rng.random((9, 3)), np.repeat([[0, 1, 2]], 9, 0)),
        # Ten positives: recall hits 3/10, 6/10 and 7/10.
        ap_case("recall at the eleven levels", -np.arange(20.0)[:, None], (np.arange(20) % 2)[:, None]),
        ap_case("neighbouring floats", (np.nextafter(1, 2) ** np.arange(12))[:, None] * a([1, -1]), truth_of(12, 2, 0.4)),
        ap_case("large and tiny", a([1e308, -1e308], [5e-324, -5e-324], [0.0, 0.0], [-5e-324, 5e-324], [-1e308, 1e308]), truth_of(5, 2, 0.5)),
        ap_case("ties", ties(60, 6, 5), truth_of(60, 6, 0.3, 0.1)),
        ap_case("float32 logits", better(t := truth_of(80, 9, 0.1), 2).astype(np.float32) * 100, t),
        ap_case("noise", better(t := truth_of(90, 11, 0.2, 0.05)), t),
    ]
    tags = [
        tag_case("ties", ties(12, 6, 4) - 0.5, truth_of(12, 6, 0.3)),
        tag_case("nothing predicted", -1 - rng.random((5, 4)), truth_of(5, 4, 0.4)),
        tag_case("nothing present", better(t := truth_of(5, 4, 0)), t),
        tag_case("an absent class and unlabelled images", better(t := truth_of(40, 8, 0.12) * (np.arange(8) != 3)), t),
        tag_case("noise", better(t := truth_of(50, 7, 0.3)), t),
        tag_case("one class", better(t := truth_of(9, 1, 0.5)), t),
    ]
    return aps, tags


def wide():
    aps, tags = [], []
    for k in range(count):
        n, c = int(rng.integers(1, 120)), int(rng.integers(1, 20))
        t = truth_of(n, c, rng.random() ** 2, rng.random() ** 3)
        s = better(t, rng.random() * 3)
        kind = rng.integers(0, 4)
        s = [s, np.round(s, 1), s.astype(np.float32) * 100, s * 1e-300][kind].astype(float)
        aps.append(ap_case(f"ap {k}", s, t))
        tags.append(tag_case(f"tags {k}", s, np.where(t == DIFFICULT, 0, t)))
    return aps, tags


for name, cases in zip(("multilabel.json", "tags.json"), wide() if count else recorded()):
    (out / name).write_text("[\n" + ",\n".join(json.dumps(c) for c in cases) + "\n]\n")
    print(name, len(cases))
