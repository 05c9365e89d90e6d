"""Zero-shot classification and retrieval of a CLIP model on splits of shapes.

    python evaluate.py MODEL DATA     writes MODEL/evaluation.json
"""

import json
import pathlib
import sys

import numpy as np
import torch

import bpe
import model

COLOURS = ["red", "orange", "yellow", "green", "blue", "purple", "white", "black"]
SHAPES = ["circle", "square", "triangle", "star", "ring", "cross", "heart", "moon"]
GROUNDS = ["grass", "sand", "water", "bricks", "wood", "snow", "night sky"]


@torch.no_grad()
def scores(net, tokenizer, folder):
    """Fractions. shape, colour, pair: which of 8, 8, 64 is the only thing of a picture; ground: which of 7 is the only ground;
    retrieval: rank 1 among all pictures, or captions, of the split (full captions; equal captions both count)."""
    images = np.load(folder / "images.npy", mmap_mode="r")
    items = [json.loads(line) for line in (folder / "captions.jsonl").open()]
    image = torch.cat([net.images(torch.from_numpy(images[k : k + 100].copy())) for k in range(0, len(images), 100)])

    def texts(list_):
        ids = [tokenizer.encode(t) for t in list_]
        out = torch.zeros(len(ids), max(map(len, ids)), dtype=torch.long)
        for row, x in zip(out, ids):
            row[: len(x)] = torch.tensor(x)
        return net.texts(ids=out)

    def classify(names, prompts, truth):
        """prompts[k] are of names[k]; a class is the mean of its prompts."""
        at = [k for k, t in enumerate(truth) if t is not None]
        classes = torch.nn.functional.normalize(torch.stack([texts(p).mean(0) for p in prompts]), dim=-1)
        guess = (image[at] @ classes.T).argmax(1).tolist()
        return sum(names[g] == truth[k] for g, k in zip(guess, at)) / len(at)

    one = [x["things"][0] if len(x["things"]) == 1 else None for x in items]
    ground = [x["grounds"][0] if len(x["grounds"]) == 1 else None for x in items]
    pairs = [f"{c} {s}" for c in COLOURS for s in SHAPES]
    photo = lambda w: f"a photo of an {w}." if w[0] in "aeiou" else f"a photo of a {w}."
    full = [x["captions"][0] for x in items]
    cosines = image @ texts(full).T
    same = lambda guess: float(np.mean([full[a] == full[b] for a, b in enumerate(guess.tolist())]))
    return {
        "shape": classify(SHAPES, [[photo(s)] for s in SHAPES], [t and t["shape"] for t in one]),
        "colour": classify(COLOURS, [[photo(f"{c} {s}") for s in SHAPES] for c in COLOURS], [t and t["colour"] for t in one]),
        "pair": classify(pairs, [[photo(p)] for p in pairs], [t and f'{t["colour"]} {t["shape"]}' for t in one]),
        "ground": classify(GROUNDS, [[f"a photo of {g}."] for g in GROUNDS], ground),
        "image_to_text": same(cosines.argmax(1)),
        "text_to_image": same(cosines.argmax(0)),
        "single_things": sum(t is not None for t in one),
        "single_grounds": sum(g is not None for g in ground),
        "pictures": len(items),
    }


def write(folder, data):
    net, tokenizer = model.load(folder), bpe.load(folder)
    report = {split: scores(net, tokenizer, data / split) for split in ("dev", "val", "heldout")}
    text = json.dumps(report, indent=1) + "\n"
    (folder / "evaluation.json").write_text(text)
    print(text)


if __name__ == "__main__":
    write(*map(pathlib.Path, sys.argv[1:3]))
