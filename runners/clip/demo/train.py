"""Trains the built-in model contrastively on captions of shapes (Radford et al., 2021), on a CPU.

    python train.py --data FOLDER --out FOLDER     (or: make train-demo)

FOLDER has train, dev, val and heldout as "ovbench shapes --layout npy" writes them. The result is model.safetensors,
config.json, vocab.json, merges.txt, log.csv and evaluation.json. MODEL_CARD.md says what came out.
"""

import argparse
import collections
import csv
import json
import math
import pathlib
import random
import re
import time

import numpy as np
import torch
import torch.nn.functional as F

import bpe
import evaluate
import model

DEV = ("shape", "colour", "pair", "ground", "image_to_text", "text_to_image")
HERE = pathlib.Path(__file__).parent
SHAPE = dict(image=96, patch=8, width=96, layers=8, heads=3, context=64, text_width=96, text_layers=2, text_heads=3, embed=96)


def arguments():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--data", type=pathlib.Path, required=True)
    p.add_argument("--out", type=pathlib.Path, required=True)
    p.add_argument("--seed", type=int, default=1)
    p.add_argument("--steps", type=int, default=2000)
    p.add_argument("--batch", type=int, default=96)
    p.add_argument("--keep", type=int, default=72, help="patches a picture at first; 0 is all")
    p.add_argument("--whole", type=float, default=0.1, help="share of the steps, at the end, that see all patches")
    p.add_argument("--decay", type=float, default=0.4, help="share of the steps, at the end, in which the rates fall to zero")
    p.add_argument("--emphasis", type=int, default=6, help="how much more often a wrong caption is wrong in a shape than in a colour")
    p.add_argument("--drop", type=int, default=500, help="step from which the rates are lower")
    p.add_argument("--low", type=float, default=0.4, help="how much lower")
    p.add_argument("--ease", type=int, default=250, help="steps before pictures of the next difficulty come in")
    p.add_argument("--wrong", type=int, default=3, help="wrong captions beside each right one")
    p.add_argument("--lr", type=float, default=0.015, help="of Muon, for the matrices of the blocks")
    p.add_argument("--adam-lr", type=float, default=1.2e-3, help="of AdamW, for everything else")
    p.add_argument("--warmup", type=int, default=100)
    p.add_argument("--merges", type=int, default=600)
    p.add_argument("--log", type=int, default=50)
    p.add_argument("--every", type=int, default=200, help="steps between evaluations on dev and savings")
    p.add_argument("--until", type=int, default=1 << 30, help="stop behind this step, a multiple of --every")
    p.add_argument("--resume", action="store_true", help="go on from state.pt in --out")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--shape", default="{}", help="JSON, changes to the shape of the model")
    return p.parse_args()


def difficulty(item):
    """Easy pictures come first: one large thing, one of any size, two, more."""
    things = item["things"]
    return min(len(things), 3) if len(things) != 1 or things[0].get("size") != "large" else 0


class Captions:
    """Captions of a split as ids, in templates or bare."""

    def __init__(self, folder, tokenizer, templates, emphasis):
        self.items = [json.loads(line) for line in (folder / "captions.jsonl").open()]
        self.pairs = {(t["colour"], t["shape"]) for x in self.items for t in x["things"]}
        self.tokenizer, self.templates = tokenizer, templates
        self.weight = {w: emphasis if w in evaluate.SHAPES else 1 for w in KIND}

    def draw(self, i, wrong, rng):
        """A caption of picture i and some that are wrong in a single word (Yuksekgonul et al., ICLR 2023), as ids."""
        item = self.items[i]
        text = rng.choice(item["captions"])
        texts = [text, *(self.spoil(text, item, rng) for _ in range(wrong))]
        if rng.random() < 0.5:
            template = rng.choice(self.templates)
            texts = [fill(template, t) for t in texts]
        return [self.tokenizer.encode(t) for t in texts]

    def spoil(self, text, item, rng):
        """Puts another shape, colour or ground, one that the picture has not, for one of the caption. A pair of colour and shape
        that no picture has must not come about: it would be learnt as what is never true."""
        words = WORDS.findall(text)
        at = [k for k, w in enumerate(words) if w in KIND]
        weights = [self.weight[words[k]] for k in at]
        there = {w for t in item["things"] for w in (t["shape"], t["colour"])}.union(item["grounds"])
        while True:
            k = rng.choices(at, weights)[0]
            new = words[:k] + [rng.choice(KIND[words[k]])] + words[k + 1 :]
            pair = tuple(new[k - 1 : k + 1] if KIND[new[k]] is evaluate.SHAPES else new[k : k + 2])
            if new[k] not in there and (pair in self.pairs or pair[0] not in evaluate.COLOURS or pair[1] not in evaluate.SHAPES):
                return ARTICLE.sub(lambda m: "an " if m[1] in "aeiou" else "a ", " ".join(new).replace(" ,", ","))


WORDS = re.compile(r"night sky|[a-z]+|,")
ARTICLE = re.compile(r"\ban? (?=([a-z]))")
KIND = {w: kind for kind in (evaluate.SHAPES, evaluate.COLOURS, evaluate.GROUNDS) for w in kind}


def fill(template, text):
    """Puts a caption into a template; templates bring an article of their own."""
    return template.replace("{}", re.sub(r"^an? ", "", text))


def words_of(folder, templates):
    """How often each word occurs in the captions and templates."""
    count = collections.Counter()
    for line in (folder / "captions.jsonl").open():
        for text in json.loads(line)["captions"]:
            count.update(bpe.SPLIT.findall(text))
    for t in templates:
        for w in bpe.SPLIT.findall(t.lower().replace("{}", "")):
            count[w] += 1000
    return count


def pad(ids):
    out = torch.zeros(len(ids), max(map(len, ids)), dtype=torch.long)
    for row, x in zip(out, ids):
        row[: len(x)] = torch.tensor(x)
    return out


def optimizers(net, args):
    blocks = [p for n, p in net.named_parameters() if ".layers." in n and p.ndim == 2]
    chosen = {id(p) for p in blocks}
    rest = [p for p in net.parameters() if id(p) not in chosen]
    return [
        torch.optim.Muon(blocks, lr=args.lr, momentum=0.95, weight_decay=0.02),
        torch.optim.AdamW(rest, lr=args.adam_lr, betas=(0.9, 0.98), weight_decay=0.0),
    ]


def rate(step, args):
    """Warm-up, a plateau, a lower one, then straight down to zero."""
    if step < args.drop:
        return min((step + 1) / args.warmup, 1)
    return args.low * min(1, (args.steps - step) / (args.decay * args.steps))


def main():
    args = arguments()
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    rng, words = np.random.default_rng(args.seed), random.Random(args.seed)
    args.out.mkdir(parents=True, exist_ok=True)

    templates = (HERE / "../templates/surgery85.txt").read_text().splitlines()
    tokenizer = bpe.Tokenizer(bpe.learn(words_of(args.data / "train", templates), args.merges))
    tokenizer.save(args.out)
    images = np.load(args.data / "train/images.npy", mmap_mode="r")
    captions = Captions(args.data / "train", tokenizer, templates, args.emphasis)
    net = model.CLIP(SHAPE | json.loads(args.shape) | {"vocab": len(tokenizer)})
    print(f"{sum(p.numel() for p in net.parameters())} parameters, {len(tokenizer)} tokens, {len(images)} pictures", flush=True)
    opts = optimizers(net, args)
    base = [[g["lr"] for g in o.param_groups] for o in opts]

    net.whiten(torch.from_numpy(images[:400].copy()))
    hard = np.array([difficulty(x) for x in captions.items])
    order, done, before, most = np.empty(0, int), 0, 0, -1
    if args.resume:
        state = torch.load(args.out / "state.pt", weights_only=False)
        net.load_state_dict(state["net"])
        for o, saved in zip(opts, state["opts"]):
            o.load_state_dict(saved)
        torch.set_rng_state(state["torch"])
        rng, words, order, most = (state[k] for k in ("rng", "words", "order", "most"))
        done, before = state["step"], state["seconds"]
    log = csv.writer((args.out / "log.csv").open("a" if args.resume else "w", buffering=1))
    if not args.resume:
        log.writerow(["step", "seconds", "pictures", "loss", "accuracy", "wrong", "scale", "rate", *(f"dev_{k}" for k in DEV)])
    start, sums = time.time() - before, []
    for step in range(done, min(args.steps, args.until)):
        if most != (most := min(step // args.ease, hard.max())):
            order = np.empty(0, int)
        if len(order) < args.batch:
            order = np.concatenate([order, rng.permutation(np.flatnonzero(hard <= most))])
        batch, order = np.sort(order[: args.batch]), order[args.batch :]
        pixels = torch.from_numpy(images[batch])
        flip = torch.from_numpy(rng.random(args.batch) < 0.5)
        pixels[flip] = pixels[flip].flip(2)
        drawn = zip(*(captions.draw(i, args.wrong, words) for i in batch))
        ids = pad([x for column in drawn for x in column])  # the right captions, and behind them the wrong ones
        keep = None
        if args.keep and step < args.steps * (1 - args.whole):
            keep = torch.rand(args.batch, net.vision_model.grid**2).argsort(1)[:, : args.keep].sort(1).values

        for o, lrs in zip(opts, base):
            for g, lr in zip(o.param_groups, lrs):
                g["lr"] = lr * rate(step, args)
        with torch.autocast("cpu", torch.bfloat16):
            i, t = net.images(pixels, keep), net.texts(ids)
        logits = net.logit_scale.exp() * i @ t.T  # [B, B + wrong B]
        target = torch.arange(args.batch)
        loss = (F.cross_entropy(logits, target) + F.cross_entropy(logits[:, : args.batch].T, target)) / 2
        for o in opts:
            o.zero_grad(set_to_none=True)
        loss.backward()
        for o in opts:
            o.step()
        with torch.no_grad():
            net.logit_scale.clamp_(max=math.log(100))
            best = logits[:, : args.batch].argmax(1) == target
            wrong = logits[:, args.batch :].reshape(args.batch, -1, args.batch).diagonal(dim1=0, dim2=2)
            fooled = wrong >= logits.diagonal()
            sums.append((loss.item(), best.float().mean().item(), fooled.float().mean().item()))

        last = step + 1 == args.steps
        if (step + 1) % args.log == 0 or last:
            loss, accuracy, wrong = np.mean(sums, 0)
            sums = []
            row = [step + 1, round(time.time() - start), (step + 1) * args.batch, f"{loss:.4f}", f"{accuracy:.4f}", f"{wrong:.4f}",
                   f"{net.logit_scale.exp().item():.2f}", f"{rate(step, args):.4f}"]
            if (step + 1) % args.every == 0 or last:
                net.save(args.out)
                state = {"net": net.state_dict(), "opts": [o.state_dict() for o in opts], "torch": torch.get_rng_state(),
                         "rng": rng, "words": words, "order": order, "most": most, "step": step + 1, "seconds": time.time() - start}
                torch.save(state, args.out / "state.pt.part")
                (args.out / "state.pt.part").rename(args.out / "state.pt")
                dev = evaluate.scores(net, tokenizer, args.data / "dev")
                row += [f"{dev[k]:.4f}" for k in DEV]
            log.writerow(row)
            print(*row, flush=True)
    if args.until >= args.steps:
        evaluate.write(args.out, args.data)


if __name__ == "__main__":
    main()
