"""Pools the flat records of a run with pandas: records.py FILE.csv RUN FORMAT.md prints {method: mIoU} under mmseg's rule.

The records themselves are read in RUN by the line of code that FORMAT.md shows.
"""

import json
import os
import sys

try:
    import pandas as pd
except ImportError as e:
    print(e, file=sys.stderr)
    sys.exit(3)

flat = pd.read_csv(sys.argv[1], keep_default_na=False)
shown = [line.strip() for line in open(sys.argv[3], encoding="utf-8") if "pd.read_json(" in line]
assert len(shown) == 1, shown
os.chdir(sys.argv[2])
names = {"pd": pd}
exec(shown[0], names)
records = names["records"]
assert "schema" in json.loads(names["header"]) and "schema" not in records, "the header is among the records"
assert records["index"].dtype == "int64", "indices are no integers"
assert sorted(records["id"]) == sorted(set(flat["id"])), "the flat form has other images"
pixels = flat[flat["score"].isin(["intersection", "truth", "predicted"])]
sums = pixels.pivot_table(index=["method", "class"], columns="score", values="value", aggfunc="sum")
iou = sums["intersection"] / (sums["truth"] + sums["predicted"] - sums["intersection"])
print(json.dumps(iou.groupby("method").mean().to_dict()))
