"""Makes a Segment Anything model of unusual shape with the authors' package, and what it gives for a picture.

    segment.py PICTURE OUT_DIR

Writes sam.pth, points.json, low_res.npy [S, 4, h, w] and iou.npy [S, 4] to OUT_DIR. Needs torch, torchvision,
segment_anything, numpy and Pillow.
"""

import json
import sys
from functools import partial

import numpy as np
import torch
from PIL import Image
from segment_anything import SamPredictor
from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer


def main(picture, out):
    torch.manual_seed(0)
    channels, norm = 40, partial(torch.nn.LayerNorm, eps=1e-6)
    sam = Sam(
        ImageEncoderViT(depth=5, embed_dim=60, img_size=120, mlp_ratio=3, norm_layer=norm, num_heads=5, patch_size=12,
                        qkv_bias=True, use_rel_pos=True, global_attn_indexes=[0, 4], window_size=4, out_chans=channels),
        PromptEncoder(embed_dim=channels, image_embedding_size=(10, 10), input_image_size=(120, 120), mask_in_chans=8),
        MaskDecoder(num_multimask_outputs=3, transformer_dim=channels, iou_head_depth=4, iou_head_hidden_dim=24,
                    transformer=TwoWayTransformer(depth=3, embedding_dim=channels, mlp_dim=56, num_heads=5)))
    with torch.no_grad():
        for name, p in sam.named_parameters():
            if p.dim() < 2 or "rel_pos" in name:  # which start at 0 or 1
                p.add_(torch.randn_like(p) * 0.15)
    torch.save(sam.state_dict(), out + "/sam.pth")
    predictor = SamPredictor(sam.eval())
    predictor.set_image(np.asarray(Image.open(picture).convert("RGB")))
    points, labels, box = [[5, 3], [40, 50], [60, 20]], [1, 0, 1], [4, 5, 50, 44]
    prompts = [{"points": points, "labels": labels}, {"points": [], "labels": [], "box": box}, {"points": points, "labels": labels, "box": box}]
    low, iou = [], []
    for p in prompts:
        made = [predictor.predict(np.array(p["points"]) if p["points"] else None, np.array(p["labels"]) if p["points"] else None,
                                  np.array(p["box"]) if "box" in p else None, multimask_output=many) for many in (False, True)]
        iou.append(np.concatenate([m[1] for m in made]))
        low.append(np.concatenate([m[2] for m in made]))
    np.save(out + "/low_res.npy", np.stack(low))
    np.save(out + "/iou.npy", np.stack(iou))
    json.dump(prompts, open(out + "/points.json", "w"))


if __name__ == "__main__":
    main(*sys.argv[1:])
