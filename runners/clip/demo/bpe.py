"""Byte-level BPE as CLIP's: a vocabulary learnt from words, and the ids of texts. For lower-case ASCII texts."""

import collections
import json
import re

END = "</w>"
SPLIT = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[a-z]+|[0-9]|[^\sa-z0-9]+")


def byte_symbols():
    """Every byte as a printable character; those that print in Latin-1 are themselves and come first."""
    own = [*range(33, 127), *range(161, 173), *range(174, 256)]
    other = [b for b in range(256) if b not in own]
    return {b: chr(b) for b in own} | {b: chr(256 + i) for i, b in enumerate(other)}


def learn(words, merges):
    """The most frequent pairs of symbols, one after the other; words maps a word to how often it occurs.
    Ties go to the pair that comes first in the alphabet, so that the result depends on nothing else."""
    symbols = byte_symbols()
    pieces = {w: [symbols[b] for b in w.encode()] for w in words}
    for p in pieces.values():
        p[-1] += END
    pairs = []
    while len(pairs) < merges:
        count = collections.Counter()
        for w, p in pieces.items():
            for pair in zip(p, p[1:]):
                count[pair] += words[w]
        if not count:
            break
        best = min(count, key=lambda pair: (-count[pair], pair))
        pairs.append(best)
        for w, p in pieces.items():
            pieces[w] = merged(p, best)
    return pairs


def merged(p, pair):
    out, i = [], 0
    while i < len(p):
        if tuple(p[i : i + 2]) == pair:
            out.append(p[i] + p[i + 1])
            i += 2
        else:
            out.append(p[i])
            i += 1
    return out


class Tokenizer:
    def __init__(self, pairs):
        self.pairs = pairs
        symbols = list(byte_symbols().values())
        tokens = symbols + [s + END for s in symbols] + [a + b for a, b in pairs] + ["<|startoftext|>", "<|endoftext|>"]
        self.ids = {t: i for i, t in enumerate(tokens)}
        assert len(self.ids) == len(tokens), "two merges make the same token"
        self.rank = {p: i for i, p in enumerate(pairs)}
        self.sot, self.eot = len(tokens) - 2, len(tokens) - 1
        self.words = {}

    def __len__(self):
        return len(self.ids)

    def word(self, w):
        if w not in self.words:
            symbols = byte_symbols()
            p = [symbols[b] for b in w.encode()]
            p[-1] += END
            while len(p) > 1:
                pair = min(zip(p, p[1:]), key=lambda x: self.rank.get(x, len(self.rank)))
                if pair not in self.rank:
                    break
                p = merged(p, pair)
            self.words[w] = [self.ids[t] for t in p]
        return self.words[w]

    def encode(self, text):
        return [self.sot, *(i for w in SPLIT.findall(text.lower()) for i in self.word(w)), self.eot]

    def save(self, folder):
        (folder / "vocab.json").write_text(json.dumps(self.ids, ensure_ascii=False))
        (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in self.pairs))


def load(folder):
    lines = (folder / "merges.txt").read_text().splitlines()[1:]
    return Tokenizer([tuple(line.split()) for line in lines])
