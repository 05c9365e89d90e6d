"""Makes testdata/context: MATLAB files of every storage, and a small tree of PASCAL Context in all three forms.

mat/*.mat and mat.json: what scipy.io.loadmat reads of them. SciPy writes little-endian files only and always the array's
own type, so the other files come from the writer below; that loadmat reads them is checked here.
VOC2010/ and labels.json: the maps of original numbers, painted with pycocotools in the order of the list.

    python make.py                          # recorded with SciPy 1.17.1, pycocotools 2.0.11, Pillow 13.0.0, numpy 2.4.6
    python make.py digest RESULTS.json      # SHA-256 of all maps painted from a result file of detail-api
"""
import hashlib, json, pathlib, struct, sys, zlib
import numpy as np
from PIL import Image

OUT = pathlib.Path(__file__).parent
rng = np.random.default_rng(2010)


# --- MATLAB files -----------------------------------------------------------------------------
TYPES = {"int8": 1, "uint8": 2, "int16": 3, "uint16": 4, "int32": 5, "uint32": 6, "float32": 7, "float64": 9, "int64": 12, "uint64": 13}
CLASSES = {"float64": 6, "float32": 7, "int8": 8, "uint8": 9, "int16": 10, "uint16": 11, "int32": 12, "uint32": 13, "int64": 14, "uint64": 15}


def element(end, kind, data, small=True):
    if small and 0 < len(data) <= 4:
        return struct.pack(end + "I", len(data) << 16 | kind) + data.ljust(4, b"\0")
    return struct.pack(end + "II", kind, len(data)) + data + b"\0" * (-len(data) % 8)


def matrix(end, name, a, cls, stored, small=True):
    data = np.asfortranarray(a).astype(np.dtype(stored).newbyteorder(end)).tobytes(order="F")
    return element(end, 14, element(end, 6, struct.pack(end + "II", CLASSES[cls], 0))
                   + element(end, 5, struct.pack(end + "%di" % a.ndim, *a.shape))
                   + element(end, 1, name.encode(), small) + element(end, TYPES[stored], data, small))


def mat(end, *matrices, compress=False):
    head = b"MATLAB 5.0 MAT-file, made for tests".ljust(116) + b"\0" * 8 + struct.pack(end + "H", 0x100) + (b"IM" if end == "<" else b"MI")
    if compress:
        matrices = [struct.pack(end + "II", 15, len(z)) + z for z in map(zlib.compress, matrices)]
    return head + b"".join(matrices)


def mat_files():
    from scipy.io import loadmat, savemat
    out = OUT / "mat"
    out.mkdir(exist_ok=True)
    wide = rng.integers(0, 460, (7, 5))
    narrow = rng.integers(0, 128, (4, 6))
    for dtype in TYPES:
        a = (narrow if dtype in ("int8", "uint8") else wide).astype(dtype)
        savemat(out / f"scipy_{dtype}.mat", {"LabelMap": a})
        savemat(out / f"scipy_{dtype}_zlib.mat", {"LabelMap": a}, do_compression=True)
        for end, name in (("<", "little"), (">", "big")):
            (out / f"{name}_{dtype}.mat").write_bytes(mat(end, matrix(end, "LabelMap", a, dtype, dtype)))
    # MATLAB stores doubles that are small whole numbers in smaller types.
    for end, name in (("<", "little"), (">", "big")):
        for stored in ("uint8", "int16", "uint16", "int32"):
            a = narrow if stored == "uint8" else wide
            (out / f"{name}_double_in_{stored}.mat").write_bytes(mat(end, matrix(end, "LabelMap", a, "float64", stored), compress=True))
        for shape in ((1, 1), (2, 1), (1, 3), (2, 2)):  # numbers inside the tag
            (out / f"{name}_small_{shape[0]}x{shape[1]}.mat").write_bytes(
                mat(end, matrix(end, "LabelMap", rng.integers(0, 256, shape), "float64", "uint8")))
        a = matrix(end, "S", wide, "uint16", "uint16")  # a name inside the tag, variables in front and behind
        b = matrix(end, "LabelMap", narrow, "uint8", "uint8")
        (out / f"{name}_several.mat").write_bytes(mat(end, a, b, matrix(end, "names", wide, "float64", "float64")))
        (out / f"{name}_several_zlib.mat").write_bytes(mat(end, a, b, matrix(end, "T", wide, "int16", "int16"), compress=True))
    savemat(out / "scipy_mixed.mat", {"info": {"author": "x", "sizes": [1.0, 2.0]}, "names": np.array(["a", "bc"], dtype=object),
                                      "text": "hello", "flag": np.array([[True, False]]), "LabelMap": wide.astype(np.uint16)})
    savemat(out / "scipy_logical.mat", {"LabelMap": wide > 200})
    want = {p.name: np.asarray(loadmat(p)["LabelMap"]).astype(int).tolist() for p in sorted(out.glob("*.mat"))}
    (OUT / "mat.json").write_text(json.dumps(want, separators=(",", ":")).replace("]],", "]],\n") + "\n")


# --- PASCAL Context ---------------------------------------------------------------------------
IDS = [0, 2, 9, 18, 19, 22, 23, 25, 31, 33, 34, 44, 45, 46, 59, 65, 68, 72, 80, 85, 98, 104, 105, 113, 115, 144, 158, 159, 162, 187,
       189, 207, 220, 232, 258, 259, 260, 284, 295, 296, 308, 324, 326, 347, 349, 354, 355, 360, 366, 368, 397, 415, 416, 420, 424,
       427, 440, 445, 454, 458]
VOC = [0, 2, 23, 25, 31, 34, 45, 59, 65, 72, 98, 397, 113, 207, 258, 284, 308, 347, 368, 416, 427]
# id: size, phase, regions of one class each; several lie on top of each other
IMAGES = {
    "2008_900001": ((24, 18), "val", [360, 187, 207, 284, 59, 427]),
    "2008_900002": ((17, 26), "val", [440, 158, 72, 397, 459, 23, 1]),  # 459 and 1 are none of the 59 classes
    "2008_900003": ((21, 13), "val", []),
    "2008_900004": ((16, 16), "train", [445, 31]),
}


def region(w, h, k):
    y, x = np.mgrid[0:h, 0:w]
    if k == 0:
        return y < h // 2
    cx, cy, rx, ry = rng.integers(0, w), rng.integers(0, h), rng.integers(2, w // 2 + 2), rng.integers(2, h // 2 + 2)
    return ((x - cx) / rx) ** 2 + ((y - cy) / ry) ** 2 <= 1


def rle(mask):
    from pycocotools import mask as coco
    r = coco.encode(np.asfortranarray(mask.astype(np.uint8)))
    return {"size": r["size"], "counts": r["counts"].decode()}


def paint(regions, h, w):
    from pycocotools import mask as coco
    out = np.zeros((h, w), np.uint16)
    for category, r in regions:
        out[coco.decode({"size": r["size"], "counts": r["counts"].encode()}) > 0] = category
    return out


def palette_png(path, a):
    path.parent.mkdir(parents=True, exist_ok=True)
    m = Image.fromarray(a.astype(np.uint8), mode="P")
    m.putpalette([v for i in range(256) for v in (i, 255 - i, i * 7 % 256)])
    m.save(path)


def tree():
    from scipy.io import savemat
    root = OUT / "VOC2010"
    for sub in ("JPEGImages", "trainval", "ImageSets/SegmentationContext"):
        (root / sub).mkdir(parents=True, exist_ok=True)
    images, annotations, want = [], [], {}
    for n, (id, ((w, h), phase, categories)) in enumerate(IMAGES.items()):
        number = int(id.replace("_", ""))
        images.append({"file_name": id + ".jpg", "phase": phase, "height": h, "width": w, "image_id": number, "date_captured": "31-Oct-2007"})
        for k, category in enumerate(categories):
            r = rle(region(w, h, k))
            annotations.append({"segmentation": r, "area": 1.5e1, "iscrowd": 0, "image_id": number, "bbox": [0.0, 1, 2, 3], "category_id": category,
                                "id": 900001000000 + len(annotations), "parts": [{"part_id": 255, "segmentation": r, "text": "a \\ \"b]}\" é"}]})
        y, x = np.mgrid[0:h, 0:w]
        picture = np.stack([x * 9 % 256, y * 11 % 256, (x + y) * 5 % 256], -1).astype(np.uint8)
        Image.fromarray(picture).save(root / "JPEGImages" / (id + ".jpg"), quality=90)
        raw = paint([(a["category_id"], a["segmentation"]) for a in annotations if a["image_id"] == number], h, w)
        want[id] = raw.tolist()
        palette_png(root / "SegmentationClassContext" / (id + ".png"), np.vectorize(lambda v: IDS.index(v) if v in IDS else 0)(raw))
        palette_png(root / "SegmentationClass" / (id + ".png"), np.vectorize(lambda v: VOC.index(v) if v in VOC else 0)(raw))
        savemat(root / "trainval" / (id + ".mat"), {"LabelMap": raw.astype([np.uint16, np.float64, np.uint8, np.uint16][n])}, do_compression=n % 2 == 0)
    turn = rng.permutation(len(annotations))  # images are interleaved; within one the order of painting stays
    by_image = {i["image_id"]: [a for a in annotations if a["image_id"] == i["image_id"]] for i in images}
    mixed = [by_image[annotations[i]["image_id"]].pop(0) for i in turn]
    detail = {"annos_occlusion": [{"image_id": 1, "occlusion": [[0, 1, {"x": None}]]}], "annos_segmentation": mixed, "info": {"description": "made for tests"},
              "images": images, "annos_boundary": [], "categories": [{"category_id": 2, "name": "aeroplane"}], "parts": [True, False, -1.5E-3]}
    (root / "trainval_merged.json").write_text(json.dumps(detail) + "\n")
    for phase in ("train", "val"):
        ids = [id for id, (_, p, _) in IMAGES.items() if p == phase]
        (root / "ImageSets/SegmentationContext" / (phase + ".txt")).write_text("\n".join(ids) + "\n")
    (OUT / "labels.json").write_text(json.dumps(want, separators=(",", ":")).replace("]],", "]],\n") + "\n")


def digest(path):
    """Row-major little-endian uint16 maps, one after the other by image_id; regions painted in the order of the file."""
    results, h = json.load(open(path)), hashlib.sha256()
    for number in sorted({r["image_id"] for r in results}):
        mine = [(r["category_id"], r["segmentation"]) for r in results if r["image_id"] == number]
        h.update(paint(mine, *mine[0][1]["size"]).astype("<u2").tobytes())
    print(h.hexdigest())


if __name__ == "__main__":
    if sys.argv[1:2] == ["digest"]:
        digest(sys.argv[2])
    else:
        mat_files()
        tree()
