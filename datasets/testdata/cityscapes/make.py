"""Makes the small tree of Cityscapes and polygons.json.

The PNG files of gtFine are what cityscapesscripts makes of the polygons; polygons.json holds, for each polygon, the CRC-32
of the pixels (0 or 1, row by row) that ImageDraw.polygon(points, fill=1) of Pillow leaves in a picture of w x h.

    python make.py        # recorded with cityscapesScripts 2.3.0, Pillow 13.0.0, numpy 2.4.6
"""
import json, pathlib, random, zlib
import numpy as np
from PIL import Image, ImageDraw
from cityscapesscripts.helpers.annotation import Annotation
from cityscapesscripts.preparation.json2instanceImg import createInstanceImage
from cityscapesscripts.preparation.json2labelImg import createLabelImage

OUT = pathlib.Path(__file__).parent
R = random.Random(20160406)


def points(w, h, n, margin):
    p = [[R.randint(-margin, w - 1 + margin), R.randint(-margin, h - 1 + margin)] for _ in range(n)]
    if R.random() < 0.3:  # corners that are visited again
        p = [list(R.choice(p)) if R.random() < 0.4 else q for q in p]
    for i in range(1, n):  # level and upright edges
        if R.random() < 0.12:
            p[i][R.randint(0, 1)] = p[i - 1][R.randint(0, 1)] if R.random() < 0.2 else p[i - 1][1]
    return p


def polygons():
    cases = []
    for side, sizes, count in ((8, (2, 3, 4, 5, 6, 8), 500), (40, (3, 4, 5, 8, 12), 300), (700, (3, 4, 8, 20), 150)):
        for _ in range(count):
            w, h = R.randint(1, side), R.randint(1, side)
            p = points(w, h, R.choice(sizes), R.choice([0, 0, 3, side, 5000]))
            im = Image.new("L", (w, h), 0)
            ImageDraw.Draw(im).polygon([tuple(q) for q in p], fill=1)
            cases.append({"w": w, "h": h, "points": p, "crc": zlib.crc32(np.array(im).tobytes())})
    text = ",\n".join(json.dumps(c, separators=(",", ":")) for c in cases)
    (OUT / "polygons.json").write_text("[\n" + text + "\n]\n")


LABELS = ["person", "car", "bicycle", "persongroup", "cargroup", "polegroup", "trailer", "vegetation", "traffic light",
          "license plate", "sidewalk", "static", "bus"]  # fmt: skip


def scene(city, number, w, h):
    objects = [{"label": "sky", "polygon": [[0, 0], [w - 1, 0], [w - 1, h // 3], [0, h // 2]]},
               {"label": "road", "polygon": [[0, h // 2], [w - 1, h // 3], [w, h], [-1, h]]}]  # fmt: skip
    for label in LABELS + R.choices(LABELS, k=5):
        o = {"label": label, "polygon": points(w // 2, h // 2, R.randint(3, 7), 3), "id": len(objects)}
        dx, dy = R.randint(0, w // 2), R.randint(0, h // 2)
        o["polygon"] = [[x + dx, y + dy] for x, y in o["polygon"]]
        if R.random() < 0.2:
            o["deleted"] = R.randint(0, 1)
        objects.append(o)
    objects.append({"label": "rectification border", "polygon": [[0.9, 0.9], [w - 0.1, 0.5]], "deleted": 0})
    text = json.dumps({"imgHeight": h, "imgWidth": w, "objects": objects}, indent=1)
    stem = f"{city}_{number:06}_000019"
    truth, picture = OUT / "gtFine/val" / city, OUT / "leftImg8bit/val" / city
    truth.mkdir(parents=True, exist_ok=True), picture.mkdir(parents=True, exist_ok=True)
    (truth / f"{stem}_gtFine_polygons.json").write_text(text)
    a = Annotation()
    a.fromJsonText(text)
    createLabelImage(a, "ids").save(truth / f"{stem}_gtFine_labelIds.png")
    createLabelImage(a, "trainIds").save(truth / f"{stem}_gtFine_labelTrainIds.png")
    instances = np.array(createInstanceImage(a, "ids")).astype(np.uint16)  # Pillow no longer saves 32 bits
    Image.fromarray(instances).save(truth / f"{stem}_gtFine_instanceIds.png")
    y, x = np.mgrid[0:h, 0:w]
    rgb = np.stack([x * 3 % 256, y * 5 % 256, (x + y) % 256], -1).astype(np.uint8)
    Image.fromarray(rgb).save(picture / f"{stem}_leftImg8bit.png")


polygons()
scene("beta", 0, 64, 32)
scene("alpha", 1, 63, 41)
scene("alpha", 0, 96, 48)
