"""Makes statistics.json: paired differences and what scipy and statsmodels say of them.

    python make.py      # recorded with scipy 1.17.1, statsmodels 0.15.0, numpy 2.4.6
"""
import json, pathlib
import numpy as np
from scipy import stats
from statsmodels.stats.multitest import multipletests

rng = np.random.default_rng(6)
none = lambda v: None if v is None else float(v)

signs = []
for n in (1, 2, 5, 10, 15):
    for scale in (0.0, 0.6):
        for round_to in (None, 1):
            d = rng.normal(scale, 1, n)
            d = d if round_to is None else np.round(d, round_to)
            # All 2^n assignments. scipy doubles the smaller tail, which is the same by symmetry.
            sums = np.array([1.0, -1.0])[(np.arange(2**n)[:, None] >> np.arange(n)) & 1] @ d
            p = float((np.abs(sums) >= abs(d.sum()) - 1e-12 * np.abs(d).sum()).mean())
            if n > 1:
                r = stats.permutation_test((d,), lambda x, axis: np.mean(x, axis=axis), permutation_type="samples", vectorized=True, n_resamples=np.inf)
                assert abs(r.pvalue - p) < 1e-12, (n, r.pvalue, p)
            signs.append({"d": d.tolist(), "p": p})

mcnemar = [
    {"a": a, "b": b, "p": float(stats.binomtest(a, a + b, 0.5).pvalue) if a + b else 1.0}
    for a, b in [(0, 0), (0, 1), (1, 0), (0, 6), (3, 3), (8, 1), (10, 25), (40, 70), (500, 560), (2000, 2150), (12, 13)]
]

wilcoxon = []
for n, shift, digits, zeros in [(1, 1, None, 0), (3, 0, None, 0), (6, 1, None, 0), (10, 0, None, 2), (25, 0.4, None, 0), (50, 0.2, None, 3), (51, 0.2, None, 0),
                                (60, 0.1, 1, 4), (20, 0.5, 1, 1), (300, 0.1, 2, 5), (1449, 0.05, None, 0), (40, 0, 0, 0)]:
    d = rng.normal(shift, 1, n)
    d = d if digits is None else np.round(d, digits)
    d = np.concatenate([d, np.zeros(zeros)])
    rng.shuffle(d)
    kept = d[d != 0]
    tied = len(np.unique(np.abs(kept))) < len(kept)
    exact = not tied and len(kept) <= 50
    r = stats.wilcoxon(kept, method="exact" if exact else "asymptotic", correction=False)
    ranks = stats.rankdata(np.abs(kept))
    wilcoxon.append({"d": d.tolist(), "statistic": float(r.statistic), "plus": float(ranks[kept > 0].sum()), "n": len(kept), "p": float(r.pvalue), "exact": exact})

holm = []
for p in ([0.01, 0.04, 0.03, 0.005], [0.5], [0.6, 0.7, 0.9], rng.random(12).tolist(), (rng.random(9) ** 4).tolist(), [0.02, 0.02, 0.02], [0.0, 1.0, 0.3]):
    holm.append({"p": p, "want": multipletests(p, method="holm")[1].tolist()})

out = {"sign_flip": signs, "mcnemar": mcnemar, "wilcoxon": wilcoxon, "holm": holm}
text = ",\n".join(f'"{k}": [\n' + ",\n".join(json.dumps(x) for x in v) + "\n]" for k, v in out.items())
(pathlib.Path(__file__).parent / "statistics.json").write_text("{\n" + text + "\n}\n")
