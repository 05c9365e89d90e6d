"""Explanations in PyTorch on the CPU, the way their authors run them: the peer that speed and numbers are compared with.

    explain.py MODEL_DIR PIXELS.npy TEXTS.npy THREADS REPEATS OUT_DIR METHOD...

MODEL_DIR is a Hugging Face CLIP, PIXELS [1, 3, H, W] of its own size, normalised, TEXTS [T, E] of length 1. Each method runs by itself,
with a forward and a backward pass for each text; those that know no text run once. Nothing is differentiated that a method does not ask
for, and blocks below are run without gradients by scaled_dot_product_attention, which authors do not do. Writes METHOD.npy [T, N] to
OUT_DIR and prints JSON: the seconds of the processor and of the clock that each repeat of all methods took. Needs torch, safetensors and
numpy.
"""

import json
import sys
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file


class Block:
    """What a block computed: n behind its first LayerNorm, q, k, v and o by head, attention a, output z."""


class CLIP:
    def __init__(self, directory):
        self.w = load_file(directory + "/model.safetensors")
        vision = json.load(open(directory + "/config.json"))["vision_config"]
        self.layers, self.heads = vision["num_hidden_layers"], vision["num_attention_heads"]
        self.patch, self.eps = vision["patch_size"], vision["layer_norm_eps"]
        self.scale = self.w["logit_scale"].exp()

    def norm(self, x, name):
        w = self.w[name + ".weight"]
        return F.layer_norm(x, w.shape, w, self.w[name + ".bias"], self.eps)

    def linear(self, x, name):
        return F.linear(x, self.w[name + ".weight"], self.w.get(name + ".bias"))

    def embed(self, pixels):
        x = F.conv2d(pixels, self.w["vision_model.embeddings.patch_embedding.weight"], stride=self.patch).flatten(2)
        cls = self.w["vision_model.embeddings.class_embedding"].view(1, 1, -1)
        x = torch.cat([cls, x.transpose(1, 2)], 1) + self.w["vision_model.embeddings.position_embedding.weight"]
        return self.norm(x, "vision_model.pre_layrnorm")

    def block(self, x, i, heads, fused):
        p = f"vision_model.encoder.layers.{i}."
        b = Block()
        b.n = self.norm(x, p + "layer_norm1")
        split = lambda name: self.linear(b.n, p + "self_attn." + name).unflatten(2, (heads, -1)).transpose(1, 2)
        b.q, b.k, b.v = split("q_proj"), split("k_proj"), split("v_proj")
        if fused:
            b.o = F.scaled_dot_product_attention(b.q, b.k, b.v)
        else:
            b.a = (b.q @ b.k.transpose(2, 3) * b.q.shape[-1] ** -0.5).softmax(-1)
            b.o = b.a @ b.v
        x = x + self.linear(b.o.transpose(1, 2).flatten(2), p + "self_attn.out_proj")
        h = self.linear(self.norm(x, p + "layer_norm2"), p + "mlp.fc1")
        b.z = x + self.linear(h * torch.sigmoid(1.702 * h), p + "mlp.fc2")
        return b

    def forward(self, pixels, blocks, grad=True, one_head=False):
        """The last blocks, whose attention is written down and, if grad, differentiated."""
        with torch.no_grad():
            x = self.embed(pixels)
            for i in range(self.layers - blocks):
                x = self.block(x, i, self.heads, True).z
        with torch.set_grad_enabled(grad):
            x = x.requires_grad_(grad)
            out = []
            for i in range(self.layers - blocks, self.layers):
                out.append(self.block(x, i, 1 if one_head else self.heads, False))
                x = out[-1].z
        return out

    def project(self, x):
        return self.linear(self.norm(x, "vision_model.post_layernorm"), "visual_projection")

    def embedding(self, x):
        return F.normalize(self.project(x), dim=-1)


def gradient(score, by):
    return torch.autograd.grad(score, by)[0][0]


def raw_attention(m, pixels):
    return m.forward(pixels, 1, grad=False)[0].a[0].mean(0)[0, 1:]


def rollout(m, pixels):
    r = None
    for b in m.forward(pixels, m.layers, grad=False):
        a = b.a[0].mean(0) + torch.eye(b.a.shape[-1])
        a = a / a.sum(-1, keepdim=True)
        r = a if r is None else a @ r
    return r[0, 1:]


def chefer(m, pixels, texts, t):
    b = m.forward(pixels, 1)[0]
    g = gradient(m.scale * m.embedding(b.z[0, 0]) @ texts[t], b.a)
    return (g * b.a[0]).clamp(min=0).mean(0)[0, 1:]


def gradcam(m, pixels, texts, t):
    b = m.forward(pixels, 1)[0]
    g = gradient(m.embedding(b.z[0, 0]) @ texts[t], b.n)
    return b.n[0, 1:] @ g[1:].mean(0)


def gradcam_cls(m, pixels, texts, t):
    b = m.forward(pixels, 1)[0]
    return b.z[0, 1:] @ gradient(m.embedding(b.z[0, 0]) @ texts[t], b.z)[0]


def grad_eclip(m, pixels, texts, t):
    b = m.forward(pixels, 1, one_head=True)[0]
    g = gradient(m.embedding(b.z[0, 0]) @ texts[t], b.o)[0, 0]
    out = lambda x: m.linear(x, f"vision_model.encoder.layers.{m.layers - 1}.self_attn.out_proj")
    w = F.cosine_similarity(out(b.q[0, 0, :1]), out(b.k[0, 0, 1:]))
    return (g * b.v[0, 0, 1:]).sum(-1) * (w - w.min()) / (w.max() - w.min())


def legrad(m, pixels, texts, t):
    total = 0
    for b in m.forward(pixels, 2):
        g = torch.autograd.grad(m.embedding(b.z[0].mean(0)) @ texts[t], b.a, retain_graph=True)[0][0]
        total = total + g.clamp(min=0).mean((0, 1))[1:]
    return total


def clip_es(m, pixels, texts, t):
    b = m.forward(pixels, 1)[0]
    e = F.normalize(m.project(b.z[0, 1:]).mean(0), dim=-1)
    g = gradient((m.scale * texts @ e).softmax(-1)[t], b.n)
    return b.n[0, 1:] @ g[1:].mean(0)


def main():
    directory, pixels, texts, threads, repeats, out, *names = sys.argv[1:]
    torch.set_num_threads(int(threads))
    m, x, texts = CLIP(directory), torch.from_numpy(np.load(pixels)), torch.from_numpy(np.load(texts))
    seconds = []
    for i in range(int(repeats) + 1):  # the first warms up
        cpu, clock = time.process_time(), time.perf_counter()
        maps = {}
        for name in names:
            f = globals()[name]
            if name in ("raw_attention", "rollout"):
                maps[name] = f(m, x)[None].expand(len(texts), -1)
            else:
                maps[name] = torch.stack([f(m, x, texts, t) for t in range(len(texts))])
        if i > 0:
            seconds.append([time.process_time() - cpu, time.perf_counter() - clock])
    for name in names:
        np.save(f"{out}/{name}.npy", maps[name].detach().numpy())
    print(json.dumps({"torch": torch.__version__, "seconds": seconds}))


main()
