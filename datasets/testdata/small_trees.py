"""Makes the small trees of ade20k, imagenets, camvid and folder: a picture or two of some pixels each, in the layout and
the encoding of the real data set.

    python small_trees.py        # recorded with Pillow 13.0.0, numpy 2.4.6
"""
import pathlib
import numpy as np
from PIL import Image

OUT = pathlib.Path(__file__).parent


def save(path, array):
    path = OUT / path
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, format="JPEG" if path.suffix in (".jpg", ".JPEG") else "PNG")


def picture(w, h, seed):
    y, x = np.mgrid[0:h, 0:w]
    return np.stack([(x * 9 + seed * 40) % 256, y * 11 % 256, (x + y) * 5 % 256], -1).astype(np.uint8)


def stripes(w, h, values, dtype=np.uint8):
    """Upright stripes of the values, equally wide."""
    return np.tile(np.array(values, dtype)[np.arange(w) * len(values) // w], (h, 1))


for i, values in enumerate([[0, 1, 150], [77, 0]]):
    top, name = "ade20k/ADEChallengeData2016", f"ADE_val_{i + 1:08}"
    save(f"{top}/images/validation/{name}.jpg", picture(24 + i, 16, i))
    save(f"{top}/annotations/validation/{name}.png", stripes(24 + i, 16, values))

for classes, wnid in ((50, "n01443537"), (300, "n01440764"), (919, "n15075141")):
    top, name = f"imagenets/ImageNetS{classes}", f"{wnid}/ILSVRC2012_val_{classes:08}"
    ids = stripes(20, 12, [0, 1, classes, 1000], np.uint16)
    save(f"{top}/validation/{name}.JPEG", picture(20, 12, 3))
    save(f"{top}/validation-segmentation/{name}.png", np.stack([ids % 256, ids // 256, 0 * ids], -1).astype(np.uint8))

for i, name in enumerate(["0001TP_000001", "Seq05VD_f00002"]):
    save(f"camvid/CamVid/test/{name}.png", picture(24, 18, i))
    save(f"camvid/CamVid/testannot/{name}.png", stripes(24, 18, [[0, 5, 10], [11, 3]][i]))
(OUT / "camvid/CamVid/test.txt").write_text("".join(
    f"/SegNet/CamVid/test/{n}.png /SegNet/CamVid/testannot/{n}.png\n" for n in ("Seq05VD_f00002", "0001TP_000001")))

save("folder/images/a.jpg", picture(20, 10, 1))
save("folder/labels/a.png", stripes(20, 10, [0, 1, 2, 255]))
save("folder/images/b.png", picture(21, 11, 2))
save("folder/labels/b.png", stripes(21, 11, [2, 65535], np.uint16))
(OUT / "folder/classes.txt").write_text("# label 0, 1, 2\nwater | sea | lake\r\nroof\nhigh grass")
