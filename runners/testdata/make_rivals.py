"""Records tokens of SC-CLIP and ResCLIP by running the authors' code on a small model of ours.

    make_rivals.py SC_CLIP_REPO RESCLIP_REPO MODEL_DIR TEXTS OUT_DIR PIXELS...

The repositories are SuleBai/SC-CLIP (recorded at 0417ba92) and yvhangyang/ResCLIP (at 0e085f7f). MODEL_DIR is a Hugging Face CLIP of
7 blocks or more, TEXTS and PIXELS are .npy files; results are named for the method and the pixels' file. The code is read as text and changed where it names a GPU, half precision or a
block that the small model lacks, and where SC-CLIP divides by the grid's height instead of its width. Needs torch,
safetensors and numpy.
"""

import json
import math
import os
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from collections import OrderedDict
from safetensors.torch import load_file

scclip, resclip, model_dir, texts_file, out_dir, *pictures = sys.argv[1:]


def load(path, start, end, changes):
    text = open(path).read()
    text = text[text.index(start):text.index(end)]
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    names = dict(torch=torch, nn=nn, F=F, np=np, math=math, OrderedDict=OrderedDict)
    exec(text, names)
    return names


def visual(names):
    cfg = json.load(open(model_dir + "/config.json"))
    v = cfg["vision_config"]
    net = names["VisionTransformer"](v["image_size"], v["patch_size"], v["hidden_size"], v["num_hidden_layers"], v["num_attention_heads"], cfg["projection_dim"])
    w = load_file(model_dir + "/model.safetensors")
    p = "vision_model."
    state = {
        "class_embedding": w[p + "embeddings.class_embedding"], "positional_embedding": w[p + "embeddings.position_embedding.weight"],
        "conv1.weight": w[p + "embeddings.patch_embedding.weight"], "proj": w["visual_projection.weight"].T,
    }
    for ours, theirs in (("ln_pre", "pre_layrnorm"), ("ln_post", "post_layernorm")):
        for part in ("weight", "bias"):
            state[f"{ours}.{part}"] = w[f"{p}{theirs}.{part}"]
    for i in range(v["num_hidden_layers"]):
        a, b = f"transformer.resblocks.{i}.", f"{p}encoder.layers.{i}."
        for part in ("weight", "bias"):
            state[a + "attn.in_proj_" + part] = torch.cat([w[b + f"self_attn.{x}_proj.{part}"] for x in "qkv"])
            for ours, theirs in (("attn.out_proj", "self_attn.out_proj"), ("ln_1", "layer_norm1"), ("ln_2", "layer_norm2"), ("mlp.c_fc", "mlp.fc1"), ("mlp.c_proj", "mlp.fc2")):
                state[f"{a}{ours}.{part}"] = w[f"{b}{theirs}.{part}"]
    net.load_state_dict(state)
    return net.eval()


def pixels():
    for path in pictures:
        yield os.path.basename(path).removesuffix(".npy"), torch.from_numpy(np.load(path))


def save(name, x):
    np.save(f"{out_dir}/{name}.npy", x.contiguous().numpy())
    print(name, tuple(x.shape))


@torch.inference_mode()
def main():
    names = load(scclip + "/clip/model.py", "class LayerNorm", "class CLIP(", [
        ("torch.div(index, feat_w, rounding_mode='trunc'), index % feat_w", "torch.div(index, feat_h, rounding_mode='trunc'), index % feat_h"),
    ])
    net = visual(names)
    net.pre_adjust_idx, net.post_adjust_idx, net.multi_start_idx, net.multi_end_idx = 4, 1, 1, 5
    for name, x in pixels():
        save(f"sc_clip_{name}", net(x, return_all=True))

    half = "attn_sfr = attn_sfr.to(torch.float16)"
    cuda = [(".cuda()", ""), ("torch.device('cuda')", "torch.device('cpu')"), (half, "pass"), ("    @torch.jit.script\n", ""), ("range(5, 9)", "range(2, 6)")]
    names = load(resclip + "/clip/model.py", "class LayerNorm", "class CLIP(", cuda)
    names.update(pamr())
    net = visual(names)
    texts = torch.from_numpy(np.load(texts_file))
    for base, arch, sfr in (("naclip", "wo_resi", False), ("sclip", "w_resi", False), ("clearclip", "wo_resi", False), ("vanilla", "wo_resi", False),
                            ("naclip", "wo_resi", True), ("sclip", "w_resi", True), ("clearclip", "wo_resi", True)):
        net.set_params(arch, base, 5.0)
        for name, x in pixels():
            y = net(x, return_all=True, use_rcs=True, use_sfr=sfr, temp_thd=0.3, attn_sfr_weights=[2.2, 0.7], attn_rcs_weights=[2.0, 0.3],
                    delete_same_entity=True, query_features=texts, img=x, patch_size=net.patch_size, logit_scale=40, dtype=torch.float32, align_corners=False)
            save(f"resclip_{base}_{'sfr' if sfr else 'rcs'}_{name}", y)


def pamr():
    names = dict(torch=torch, nn=nn, F=F)
    exec(open(resclip + "/pamr.py").read(), names)
    return {"PAMR": names["PAMR"]}


main()
