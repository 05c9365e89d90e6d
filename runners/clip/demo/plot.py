"""Draws loss.png from log.csv: python plot.py FOLDER"""

import csv
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

folder = pathlib.Path(sys.argv[1])
rows = list(csv.DictReader((folder / "log.csv").open()))
million = [int(r["pictures"]) / 1e6 for r in rows]
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
left.plot(million, [float(r["loss"]) for r in rows], color="black")
left.set(title="contrastive loss", xlabel="million pictures seen", yscale="log")
faster = left.twinx()
faster.plot(million, [float(r["rate"]) for r in rows], color="tab:gray", linestyle=":")
faster.set(ylabel="learning rate, of its highest (dotted)", ylim=(0, 1.05))
tested = [(m, r) for m, r in zip(million, rows) if r["dev_shape"]]
for key, words in {
    "shape": "shape, of 8", "colour": "colour, of 8", "pair": "colour and shape, of 64", "ground": "ground, of 7",
    "image_to_text": "caption, of 400", "text_to_image": "picture, of 400",
}.items():
    right.plot([m for m, _ in tested], [100 * float(r[f"dev_{key}"]) for _, r in tested], label=words)
right.set(title="zero-shot on dev, % right", xlabel="million pictures seen", ylim=(0, 101))
right.legend(fontsize=8)
fig.savefig(folder / "loss.png", dpi=110)
