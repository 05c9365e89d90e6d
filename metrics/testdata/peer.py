"""What Python needs for the work of BenchmarkPeer, best of ROUNDS, on one thread; JSON on stdout.

    python peer.py segmentation DIR CLASSES ROUNDS   # mmsegmentation's intersect_and_union, with torch
    python peer.py multilabel DIR CLASSES ROUNDS     # scikit-learn's average_precision_score, class by class

DIR holds truth and pred (uint16), or truth (uint8) and scores (float64), as raw arrays. Exit status 3: a module is missing.
"""
import json, os, sys, time

os.environ["OMP_NUM_THREADS"] = "1"
task, folder, classes, rounds = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
try:
    import numpy as np

    if task == "segmentation":
        import torch
    else:
        from sklearn.metrics import average_precision_score
except ImportError as e:
    print(e, file=sys.stderr)
    sys.exit(3)

read = lambda name, kind: np.fromfile(os.path.join(folder, name), kind)


def segmentation():
    torch.set_num_threads(1)
    # Labels as they are in mmsegmentation: int64 from the arg-max, uint8 from the file.
    truth = torch.from_numpy(np.minimum(read("truth", "<u2"), 255).astype(np.uint8))
    pred = torch.from_numpy(read("pred", "<u2").astype(np.int64))

    def score():
        keep = truth != 255
        p, t = pred[keep], truth[keep]
        h = lambda x: torch.histc(x.float(), bins=classes, min=0, max=classes - 1)
        return [x.long().tolist() for x in (h(p[p == t]), h(t), h(p))]

    return score


def multilabel():
    truth = read("truth", "u1").reshape(-1, classes)
    scores = read("scores", "<f8").reshape(-1, classes)
    return lambda: float(np.mean([average_precision_score(truth[:, c], scores[:, c]) for c in range(classes)]))


score = {"segmentation": segmentation, "multilabel": multilabel}[task]()
best = float("inf")
for _ in range(rounds):
    start = time.perf_counter()
    result = score()
    best = min(best, time.perf_counter() - start)
print(json.dumps({"seconds": best, "result": result}))
