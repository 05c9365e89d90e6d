"""Pools the flat records of a run with pandas: records.py FILE.csv FILE.jsonl prints {method: mIoU} under mmseg's rule."""

import json
import sys

try:
    import pandas as pd
except ImportError as e:
    print(e, file=sys.stderr)
    sys.exit(3)

flat = pd.read_csv(sys.argv[1], keep_default_na=False)
lines = pd.read_json(sys.argv[2], lines=True)  # the records themselves
records = lines[lines["id"].notna()] if "id" in lines else lines
assert set(records["id"]) == set(flat["id"]), "the flat form has other images"
pixels = flat[flat["score"].isin(["intersection", "truth", "predicted"])]
sums = pixels.pivot_table(index=["method", "class"], columns="score", values="value", aggfunc="sum")
iou = sums["intersection"] / (sums["truth"] + sums["predicted"] - sums["intersection"])
print(json.dumps(iou.groupby("method").mean().to_dict()))
