"""Records label maps that Trident's own code refines by prompts, with the small random model of the recordings of SAM.

    make_refined.py TRIDENT SHARED OUT

TRIDENT is a checkout of YuHengsss/Trident (recorded at a93b346), SHARED the folder that holds golden/. Writes
refined_WxH.png, label maps of a.png and of a part of it, to OUT. Classes and their probabilities are those of madeUp in
refine_test.go. The side of mask prompts, 256 in the authors' code, is that of the model. Needs torch, numpy, Pillow,
opencv-python and scikit-image; the two functions taken of torchvision are written here.
"""

import re
import sys
import types
from functools import partial

import cv2
import numpy as np
import torch
from PIL import Image

CLASSES, THRESHOLD, IOU = 4, 0.35, -1.3


def of_torchvision():
    def boxes(masks):
        at = [torch.where(m != 0) for m in masks]
        return torch.stack([torch.stack([x.min(), y.min(), x.max(), y.max()]).float() for y, x in at])

    names = {"torchvision": {}, "torchvision.ops": {"masks_to_boxes": boxes},
             "torchvision.ops.boxes": {"batched_nms": None, "box_area": None}, "torchvision.transforms": {},
             "torchvision.transforms.functional": {
                 "to_pil_image": Image.fromarray, "resize": lambda p, s: p.resize(s[::-1], Image.BILINEAR)}}
    for name, has in names.items():
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__dict__.update(has)


def model(path):
    from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, Sam, TwoWayTransformer
    sam = Sam(
        image_encoder=ImageEncoderViT(
            img_size=256, patch_size=16, embed_dim=64, depth=4, num_heads=4, mlp_ratio=4, qkv_bias=True,
            norm_layer=partial(torch.nn.LayerNorm, eps=1e-6), use_rel_pos=True, window_size=6,
            global_attn_indexes=[1, 3], out_chans=32),
        prompt_encoder=PromptEncoder(embed_dim=32, image_embedding_size=(16, 16), input_image_size=(256, 256),
                                     mask_in_chans=16),
        mask_decoder=MaskDecoder(
            num_multimask_outputs=3, transformer_dim=32, iou_head_depth=3, iou_head_hidden_dim=32,
            transformer=TwoWayTransformer(depth=2, embedding_dim=32, mlp_dim=64, num_heads=4)))
    sam.load_state_dict(torch.load(path))
    return sam.eval()


def made_up(w, h):
    y, x = np.mgrid[:h, :w].astype(np.int64)
    waves = []
    for c in range(CLASSES):
        at = ((3 + c) * x + (5 - 2 * c) * y + 97 * c) % 480
        waves.append(np.minimum(at, 480 - at).astype(np.float64) / 240)
    squares = np.stack([v * v for v in waves])
    total = np.zeros((h, w))
    for s in squares:
        total += s
    p = np.float32(squares / (total + 0.125))
    labels = p.argmax(0)
    labels[p.max(0) < np.float32(0.4)] = 0
    return torch.from_numpy(p), torch.from_numpy(labels)[None]


def main(trident, shared, out):
    of_torchvision()
    sys.path.insert(0, trident)
    torch.set_grad_enabled(False)
    from segment_anything import SamPredictor
    code = open(trident + "/seg_utils/utils.py").read()
    utils = {}
    exec(re.sub(r"\b256\b", "64", code), utils)
    for w, h in [(200, 150), (161, 137)]:
        predictor = SamPredictor(model(shared + "/golden/sam/tiny/sam.pth"))
        picture = np.array(Image.open(shared + "/golden/a.png").convert("RGB"))[:h, :w]
        predictor.set_image(cv2.resize(picture, ((w + 15) // 16 * 16, (h + 15) // 16 * 16)))
        p, labels = made_up(w, h)
        refined, scores, *_ = utils["sam_refinement"](picture, labels, p, CLASSES, predictor, THRESHOLD, 225, 0.005,
                                                      IOU)
        print((w, h), [round(float(s), 4) for s in scores.flatten()], "changed",
              float((refined != labels).float().mean()))
        Image.fromarray(refined[0].numpy().astype(np.uint8)).save(f"{out}/refined_{w}x{h}.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
