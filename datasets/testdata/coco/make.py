"""Makes this folder: a small COCO with drawn pictures in every form of truth, and what other tools say of masks.

    polygons.txt    one line per case of polygons(i): CRC-32 of pycocotools' compressed union, and its area
    masks.json      run lengths with empty runs, pairs of masks, a few polygons with their masks in full
    expected.json   per picture: CRC-32 of its label maps (one byte per pixel), boxes and masks of its objects

    python make.py        # recorded with pycocotools 2.0.11, numpy 2.4.6, Pillow 13.0.0 on x86-64
"""
import json, pathlib, shutil, sys, zlib
import numpy as np
from PIL import Image, ImageDraw
from pycocotools import mask as M

OUT = pathlib.Path(__file__).parent
CASES = int(sys.argv[1]) if len(sys.argv) > 1 else 3000


class Rng:
    """splitmix64, which the Go test runs as well."""

    def __init__(self, seed):
        self.s = seed

    def u(self, n):
        self.s = (self.s + 0x9E3779B97F4A7C15) % 2**64
        z = self.s
        z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
        z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
        return (z ^ (z >> 31)) % n


def polygons(i):
    """Case i: h, w and polygons. Coordinates are whole numbers divided once, so that every language gets the same."""
    r = Rng(i)
    kind, h, w = i % 12, 1 + r.u(60), 1 + r.u(60)
    parts = []
    for _ in range(1 + r.u(3) if kind in (1, 11) else 1):
        n = 3 + (r.u(60) if kind == 6 else r.u(8))
        xy = []
        cx, cy = r.u(w), r.u(h)
        for k in range(n):
            if kind == 0:  # whole pixels, border included
                p = [r.u(w + 1) / 1, r.u(h + 1) / 1]
            elif kind in (1, 6, 11):  # hundredths, as COCO has them
                p = [r.u(100 * w + 1) / 100, r.u(100 * h + 1) / 100]
            elif kind == 2:  # partly outside
                p = [(r.u(200 * w) - 50 * w) / 100, (r.u(200 * h) - 50 * h) / 100]
            elif kind == 3:  # halves
                p = [(r.u(2 * w + 5) - 2) / 2, (r.u(2 * h + 5) - 2) / 2]
            elif kind == 4:  # less than two pixels large
                p = [(100 * cx + r.u(200)) / 100, (100 * cy + r.u(200)) / 100]
            elif kind == 5:  # repeated points
                p = [r.u(10 * w) / 10, r.u(10 * h) / 10] * (1 + r.u(3))
            elif kind == 7:  # far outside
                p = [(r.u(4000000) - 2000000) / 100, (r.u(4000000) - 2000000) / 100]
            elif kind == 8:  # all bits of the mantissa
                p = [r.u(2**53) / 2**47, r.u(2**53) / 2**47]
            elif kind == 9:  # ties of the fine grid: tenths that end in 5
                p = [(10 * r.u(w + 1) + 5) / 50, (10 * r.u(h + 1) + 5) / 50]
            else:  # 10: slivers along a line
                p = [(100 * k * w + r.u(30)) / (100 * n), (100 * k * h + r.u(30)) / (100 * n)]
            xy += p
        parts.append(xy)
    return h, w, parts


def text(rle):
    return rle["counts"].decode()


def fill(parts, h, w):
    # frPyObjects would take polygons of four numbers for boxes; there are none here
    return M.merge(M.frPyObjects(parts, h, w))


def crc(a):
    return "%08x" % zlib.crc32(a)


def polygon_goldens():
    with open(OUT / "polygons.txt", "w") as f:
        for i in range(CASES):
            h, w, parts = polygons(i)
            m = fill(parts, h, w)
            f.write("%s %d\n" % (crc(m["counts"]), M.area(m)))


def mask_goldens():
    rng = np.random.default_rng(2014)
    runs, pairs, full = [], [], []
    for i in range(60):
        h, w = (int(v) for v in rng.integers(1, 40, 2))
        counts, left = [], h * w
        while left:
            n = 0 if rng.random() < 0.3 else int(rng.integers(1, left + 1) if i % 2 else min(left, rng.integers(1, 9)))
            counts.append(n)
            left -= n
        counts += [0] * (i % 3)
        raw = M.frPyObjects({"counts": counts, "size": [h, w]}, h, w)
        clean = M.encode(np.asfortranarray(M.decode(raw)))
        runs.append(dict(h=h, w=w, counts=counts, raw=text(raw), string=text(clean), area=int(M.area(clean)),
                         box=[int(v) for v in M.toBbox(clean)]))
    for i in range(40):
        h, w = (int(v) for v in rng.integers(1, 30, 2))
        a, b = (M.encode(np.asfortranarray(rng.random((h, w)) < p, np.uint8)) for p in rng.choice([0, 0.02, 0.3, 0.7, 1], 2))
        pairs.append(dict(h=h, w=w, a=text(a), b=text(b), union=text(M.merge([a, b])), both=text(M.merge([a, b], intersect=True))))
    for name, h, w, parts in [
        ("square of 81 pixels", 12, 12, [[0, 0, 9, 0, 9, 9, 0, 9]]),
        ("from pixel centre to pixel centre", 5, 5, [[0.5, 0.5, 3.5, 0.5, 3.5, 3.5, 0.5, 3.5]]),
        ("bow tie", 10, 16, [[1, 1, 14, 8, 14, 1, 1, 8]]),
        ("two parts that overlap", 10, 16, [[1, 1, 9, 1, 9, 6, 1, 6], [5, 3, 15, 3, 15, 9, 5, 9]]),
        ("whole picture and beyond", 4, 7, [[-5, -5, 20, -5, 20, 20, -5, 20]]),
        ("sliver", 8, 8, [[1, 1, 6, 6, 6, 6.05]]),
    ]:
        bits = M.decode(fill(parts, h, w))
        full.append(dict(name=name, polygons=parts, rows=["".join(".#"[v] for v in row) for row in bits]))
    json.dump(dict(runs=runs, pairs=pairs, full=full), open(OUT / "masks.json", "w"), separators=(",", ":"))


# --- the tree -----------------------------------------------------------------------------------
# Rows are: category, iscrowd, how it is written (p polygons, u run lengths, c compressed), polygons. Later rows hide earlier ones.
PICTURES = {
    139: (48, 36, [
        (62, 0, "p", [[4, 10, 20.5, 10.25, 21, 30, 3.5, 31]]),
        (1, 0, "p", [[14, 4, 22, 4.5, 24, 20, 13, 21], [15, 24, 23, 24, 23, 33, 15, 33]]),  # two parts, over the chair
        (44, 0, "c", [[30, 12, 34, 12, 34.5, 24, 29.5, 24]]),
        (1, 1, "u", [[36, 2, 47, 2, 47, 9, 36, 9]]),  # a crowd
    ]),
    285: (36, 48, []),  # nothing annotated
    632: (40, 30, [  # a grey JPEG
        (17, 0, "p", [[2.2, 3.3, 18.7, 4.1, 16.2, 22.8, 4.9, 20.1]]),
        (90, 0, "p", [[20, 6, 38, 6, 38, 12, 20, 12]]),
    ]),
    724: (33, 27, [
        (13, 0, "p", [[8, 2, 16, 2, 22, 8, 22, 15, 16, 21, 8, 21, 2, 15, 2, 8]]),
        (17, 1, "u", [[10, 18, 32, 18, 32, 26, 10, 26]]),
    ]),
}
STUFF = {
    139: [(177, [[0, 0, 48, 0, 48, 18, 0, 18]]), (118, [[0, 18, 40, 18, 40, 36, 0, 36]])],
    285: [(157, [[0, 0, 36, 0, 36, 24, 0, 24]]), (124, [[0, 24, 36, 24, 36, 44, 0, 44]])],
    632: [(92, [[0, 0, 40, 0, 40, 5, 0, 5]]), (182, [[0, 24, 30, 24, 30, 30, 0, 30]])],
    724: [(149, [[0, 12, 33, 12, 33, 27, 0, 27]])],
}
IN_2014 = [285, 724]


def write_mask(parts, h, w, how):
    if how == "p":
        return parts
    m = fill(parts, h, w)
    if how == "c":
        return dict(size=[h, w], counts=text(m))
    flat = M.decode(m).flatten("F")
    edges = np.flatnonzero(np.diff(np.concatenate([[0], flat]))).tolist() + [h * w]
    return dict(counts=np.diff([0] + edges).tolist(), size=[h, w])


def image_row(id, year):
    w, h, _ = PICTURES[id]
    name = "%012d.jpg" % id if year == 2017 else "COCO_val2014_%012d.jpg" % id
    return dict(license=1, file_name=name, coco_url="http://images.cocodataset.org/val%d/%s" % (year, name), height=h, width=w, id=id)


def instances(ids, year):
    rows, n = [], 100
    for id in ids:
        w, h, things = PICTURES[id]
        for category, crowd, how, parts in things:
            m = fill(parts, h, w)
            n += 1
            rows.append(dict(segmentation=write_mask(parts, h, w, how), area=float(M.area(m)), iscrowd=crowd, image_id=id,
                             bbox=[float(v) for v in M.toBbox(m)], category_id=category, id=900100000000 + id if crowd else n))
    return dict(info={"year": year}, licenses=[], images=[image_row(i, year) for i in ids], annotations=rows, categories=THINGS)


def catalogue():
    """Categories from the Go lists, the one place where names and ids stand."""
    import re
    go = (OUT / "../../coco_classes.go").read_text()
    out = {}
    for name in ("cocoThings", "cocoStuff", "cocoPanopticStuff"):
        body = go.split("var %s = " % name)[1].split("\n}\n")[0]
        out[name] = [dict(id=int(i), name=n) for i, n in re.findall(r'\{(\d+), "([^"]+)"\}', body)]
    return out["cocoThings"], out["cocoStuff"], out["cocoPanopticStuff"]


THINGS, STUFFS, PANOPTIC = catalogue()
assert (len(THINGS), len(STUFFS), len(PANOPTIC)) == (80, 91, 53)


def tree():
    for d in ("images", "val2014", "annotations", "stuffthingmaps"):
        shutil.rmtree(OUT / d, ignore_errors=True)
    for d in ("images/val2017", "val2014", "annotations/val2017", "annotations/panoptic_val2017", "stuffthingmaps/val2017"):
        (OUT / d).mkdir(parents=True)
    order = [c["id"] for c in THINGS + STUFFS]
    panoptic_order = [c["id"] for c in THINGS + PANOPTIC]
    stuff_rows, panoptic_rows, expected = [], [], {}
    for id, (w, h, things) in PICTURES.items():
        # stuffthingmaps: stuff, then things over it; pixel = id - 1, 255 = nothing
        ids = np.zeros((h, w), int)
        segments = np.zeros((h, w), int)  # panoptic: number of the row, 0 = void
        rows = [(c, 0, parts) for c, parts in STUFF[id]] + [(c, crowd, parts) for c, crowd, _, parts in things]
        for k, (c, _, parts) in enumerate(rows):
            m = M.decode(fill(parts, h, w)) == 1
            ids[m] = c
            if c in panoptic_order:
                segments[m] = k + 1
        raw = np.where(ids == 0, 255, ids - 1).astype(np.uint8)
        stuff = np.full((h, w), 255, np.uint8)
        thing = np.zeros((h, w), np.uint8)
        for label, c in enumerate(order):
            stuff[ids == c] = label
            if label < 80:
                thing[ids == c] = label + 1
        name = "%012d" % id
        Image.fromarray(raw).save(OUT / "stuffthingmaps/val2017" / (name + ".png"))
        Image.fromarray(stuff).save(OUT / "annotations/val2017" / (name + "_labelTrainIds.png"))
        Image.fromarray(thing).save(OUT / "annotations/val2017" / (name + "_instanceTrainIds.png"))
        # the stuff annotations, under the things too, and "other" where things are and, in 285, where nothing is
        under = np.zeros((h, w), int)
        for c, parts in STUFF[id]:
            under[M.decode(fill(parts, h, w)) == 1] = c
        for c in sorted(set(under[under > 0])):
            m = M.encode(np.asfortranarray(under == c, np.uint8))
            stuff_rows.append(dict(segmentation=dict(size=[h, w], counts=text(m)), iscrowd=0, image_id=id, category_id=int(c),
                                   area=float(M.area(m)), bbox=M.toBbox(m).tolist(), id=20000000 + len(stuff_rows)))
        m = M.encode(np.asfortranarray((ids > 0) & (ids < 91) | (id == 285) & (ids == 0), np.uint8))
        stuff_rows.append(dict(segmentation=dict(size=[h, w], counts=text(m)), iscrowd=0, image_id=id, category_id=183,
                               area=float(M.area(m)), bbox=M.toBbox(m).tolist(), id=20000000 + len(stuff_rows)))
        # panoptic: id = R + 256 G + 65536 B
        rgb, info, labels = np.zeros((h, w, 3), np.uint8), [], np.full((h, w), 255, np.uint8)
        for k, (c, crowd, _) in enumerate(rows):
            m = segments == k + 1
            if not m.any():
                continue
            number = (id * 7919 + k * 65793 + 1) % 2**24
            rgb[m] = [number % 256, number // 256 % 256, number // 65536]
            labels[m] = panoptic_order.index(c)
            info.append(dict(id=number, category_id=c, area=int(m.sum()), iscrowd=crowd))
        Image.fromarray(rgb).save(OUT / "annotations/panoptic_val2017" / (name + ".png"))
        panoptic_rows.append(dict(segments_info=info, file_name=name + ".png", image_id=id))
        objects = [dict(category=c, crowd=crowd, mask=text(fill(parts, h, w)), box=M.toBbox(fill(parts, h, w)).tolist())
                   for c, crowd, _, parts in things]
        expected[name] = dict(coco_object=crc(thing), coco_stuff=crc(stuff), coco_panoptic=crc(labels), objects=objects)
        draw(id, raw)
    dump = lambda name, d: json.dump(d, open(OUT / "annotations" / name, "w"), indent=None, separators=(", ", ": "))
    ids = list(PICTURES)[::-1]  # the file's order is not that of the ids
    dump("instances_val2017.json", instances(ids, 2017))
    dump("instances_val2014.json", instances(IN_2014, 2014))
    dump("stuff_val2017.json", dict(images=[image_row(i, 2017) for i in ids], annotations=stuff_rows,
                                    categories=STUFFS + [dict(id=183, name="other")]))
    panoptic_categories = [dict(c, isthing=1) for c in THINGS] + [dict(c, isthing=0) for c in PANOPTIC]
    dump("panoptic_val2017.json", dict(annotations=panoptic_rows, images=[image_row(i, 2017) for i in ids], categories=panoptic_categories))
    json.dump(expected, open(OUT / "expected.json", "w"), indent=1)


def draw(id, raw):
    """One colour per category, with a frame; picture 632 is grey."""
    palette = np.random.default_rng(164).integers(40, 230, (256, 3)).astype(np.uint8)
    img = Image.fromarray(palette[raw])
    ImageDraw.Draw(img).rectangle([0, 0, img.width - 1, img.height - 1], outline=(20, 20, 20))
    if id == 632:
        img = img.convert("L")
    img.save(OUT / "images/val2017" / ("%012d.jpg" % id), quality=90)
    if id in IN_2014:
        img.save(OUT / "val2014" / ("COCO_val2014_%012d.jpg" % id), quality=90)


if __name__ == "__main__":
    polygon_goldens()
    mask_goldens()
    tree()
