"""Makes ../picture/testdata/pixels: small pictures in every encoding, and what Pillow decodes them to.

For each file NAME the file NAME.rgb.png holds Image.open(NAME).convert("RGB").
JPEGs that Pillow cannot write (4:4:0, 4:1:1, 4:1:0, YCCK, RGB) come from the encoder below.

    python make.py        # recorded with Pillow 13.0.0, libjpeg-turbo 3.2.0, numpy 2.4.6
"""
import io, pathlib, struct, zlib
import numpy as np
from PIL import Image

OUT = pathlib.Path(__file__).parent.parent / "picture/testdata/pixels"
rng = np.random.default_rng(20120511)


def picture(w, h, channels=3):
    """Smooth colour ramps, hard coloured edges and noise: all that chroma filters differ on."""
    y, x = np.mgrid[0:h, 0:w]
    a = np.stack([(x * (3 + 2 * c) + y * (7 - c)) % 256 for c in range(channels)], -1).astype(float)
    a[h // 3 : h // 2, w // 4 : w // 2] = np.array([250, 10, 20, 90][:channels])
    a[h // 2 :, w // 2 :] = np.array([5, 30, 240, 10][:channels])
    a += rng.normal(0, 6, a.shape)
    return np.clip(a, 0, 255).astype(np.uint8)


# --- a baseline encoder with any sampling factors ---------------------------------------------
ZIGZAG = sorted(np.ndindex(8, 8), key=lambda p: (sum(p), p[0] if sum(p) % 2 else p[1]))
D = np.array([[np.sqrt((1 if k == 0 else 2) / 8) * np.cos((2 * n + 1) * k * np.pi / 16) for n in range(8)] for k in range(8)])
AC = [(r << 4) | s for r in range(16) for s in range(1, 11)] + [0x00, 0xF0]  # 162 symbols, 8 bits each


def segment(marker, body):
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def encode(planes, factors, ids, adobe=None, quant=4):
    """planes: full-resolution channels; factors: (h, v) of each; adobe: colour transform byte."""
    height, width = planes[0].shape
    hm, vm = max(f[0] for f in factors), max(f[1] for f in factors)
    mx, my = -(-width // (8 * hm)), -(-height // (8 * vm))
    small = []
    for p, (h, v) in zip(planes, factors):
        p = np.pad(p, ((0, my * 8 * vm - height), (0, mx * 8 * hm - width)), "edge").astype(float)
        fy, fx = vm // v, hm // h
        small.append(p.reshape(p.shape[0] // fy, fy, p.shape[1] // fx, fx).mean((1, 3)) - 128)
    bits = []

    def put(value, n):
        bits.extend((value >> (n - 1 - i)) & 1 for i in range(n))

    def number(v):
        n = int(abs(v)).bit_length()
        return n, (v if v >= 0 else v + (1 << n) - 1)

    last = [0] * len(planes)
    for j in range(my):
        for i in range(mx):
            for c, (h, v) in enumerate(factors):
                for b in range(v):
                    for a in range(h):
                        y, x = (j * v + b) * 8, (i * h + a) * 8
                        q = np.rint(D @ small[c][y : y + 8, x : x + 8] @ D.T / quant).astype(int)
                        zz = [int(q[k]) for k in ZIGZAG]
                        n, code = number(zz[0] - last[c])
                        last[c] = zz[0]
                        put(n, 4), put(code, n)  # DC symbol n has the 4-bit code n
                        run = 0
                        end = max([k for k in range(1, 64) if zz[k]], default=0)
                        for k in range(1, end + 1):
                            if zz[k] == 0:
                                run += 1
                                continue
                            while run > 15:
                                put(AC.index(0xF0), 8)
                                run -= 16
                            n, code = number(zz[k])
                            put(AC.index(run << 4 | n), 8), put(code, n)
                            run = 0
                        if end < 63:
                            put(AC.index(0), 8)
    bits += [1] * (-len(bits) % 8)
    scan = np.packbits(np.array(bits, np.uint8)).tobytes().replace(b"\xff", b"\xff\x00")
    out = b"\xff\xd8"
    if adobe is not None:
        out += segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, adobe))
    out += segment(0xDB, b"\0" + bytes([quant] * 64))
    out += segment(0xC0, struct.pack(">BHHB", 8, height, width, len(planes)) + b"".join(bytes([k, h << 4 | v, 0]) for k, (h, v) in zip(ids, factors)))
    out += segment(0xC4, b"\x00" + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12)))
    out += segment(0xC4, b"\x10" + bytes([0] * 7 + [162] + [0] * 8) + bytes(AC))
    out += segment(0xDA, bytes([len(planes)]) + b"".join(bytes([k, 0]) for k in ids) + b"\0\x3f\0")
    return out + scan + b"\xff\xd9"


def ycc(rgb):
    return [np.asarray(c) for c in Image.fromarray(rgb).convert("YCbCr").split()]


def save(name, data):
    (OUT / name).write_bytes(data)
    rgb = Image.open(io.BytesIO(data)).convert("RGB")
    Image.fromarray(np.asarray(rgb)).save(OUT / (name + ".rgb.png"), optimize=True)


def pillow(name, image, **options):
    b = io.BytesIO()
    image.save(b, "JPEG" if name.endswith("jpg") else "PNG", **options)
    save(name, b.getvalue())


def own(name, planes, factors, ids=(1, 2, 3, 4), adobe=None):
    save(name, encode(planes, factors, ids[: len(planes)], adobe))


def png16(name, a, colour_type, extra=b""):
    """A 16-bit PNG; a is H x W x channels."""

    def chunk(kind, body):
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    h, w = a.shape[:2]
    raw = b"".join(b"\0" + row.astype(">u2").tobytes() for row in a)
    save(name, b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", w, h, 16, colour_type, 0, 0, 0)) + extra + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b""))


def main():
    OUT.mkdir(exist_ok=True)
    for old in OUT.iterdir():
        old.unlink()
    for w, h in [(1, 1), (4, 3), (5, 5), (17, 16), (37, 29), (48, 33)]:
        for sampling in ["4:4:4", "4:2:2", "4:2:0"]:
            pillow(f"{sampling.replace(':', '')}_{w}x{h}.jpg", Image.fromarray(picture(w, h)), quality=90, subsampling=sampling)
    pillow("420_progressive.jpg", Image.fromarray(picture(37, 29)), quality=85, progressive=True)
    pillow("420_restart.jpg", Image.fromarray(picture(37, 29)), quality=85, restart_marker_blocks=1)
    pillow("420_q30.jpg", Image.fromarray(picture(37, 29)), quality=30)
    pillow("grey.jpg", Image.fromarray(picture(37, 29)).convert("L"), quality=90)
    pillow("cmyk_adobe.jpg", Image.fromarray(picture(37, 29, 4), "CMYK"), quality=90)
    for w, h in [(3, 2), (37, 29)]:
        y = ycc(picture(w, h))
        own(f"440_{w}x{h}.jpg", y, [(1, 2), (1, 1), (1, 1)])
        own(f"411_{w}x{h}.jpg", y, [(4, 1), (1, 1), (1, 1)])
        own(f"410_{w}x{h}.jpg", y, [(4, 2), (1, 1), (1, 1)])
        k = picture(w, h, 4)[..., 3]
        own(f"ycck_{w}x{h}.jpg", y + [k], [(1, 1)] * 4, adobe=2)
        own(f"ycck_420_{w}x{h}.jpg", y + [k], [(2, 2), (1, 1), (1, 1), (2, 2)], adobe=2)
        four = list(np.moveaxis(picture(w, h, 4), -1, 0))
        own(f"cmyk_no_marker_{w}x{h}.jpg", four, [(1, 1)] * 4)
        own(f"cmyk_420_{w}x{h}.jpg", four, [(2, 2), (1, 1), (1, 1), (2, 2)], adobe=0)
    rgb = list(np.moveaxis(picture(37, 29), -1, 0))
    own("rgb_adobe.jpg", rgb, [(1, 1)] * 3, adobe=0)
    own("rgb_ids.jpg", rgb, [(1, 1)] * 3, ids=b"RGB")
    own("ycc_adobe.jpg", ycc(picture(37, 29)), [(2, 2), (1, 1), (1, 1)], adobe=1)

    base = picture(37, 29)
    pillow("rgb.png", Image.fromarray(base))
    pillow("rgba.png", Image.fromarray(np.dstack([base, picture(37, 29)[..., 0]]), "RGBA"))
    pillow("grey.png", Image.fromarray(base[..., 0]))
    pillow("grey_alpha.png", Image.fromarray(base[..., :2].copy(), "LA"))
    pillow("bilevel.png", Image.fromarray(base[..., 0]).convert("1"))
    pillow("palette.png", Image.fromarray(base).quantize(64))
    pillow("palette_4bit.png", Image.fromarray(base).quantize(11))
    pillow("palette_alpha.png", Image.fromarray(base).quantize(16), transparency=bytes([0, 128, 200]))
    pillow("rgb_transparent.png", Image.fromarray(base), transparency=tuple(int(v) for v in base[0, 0]))
    pillow("grey_transparent.png", Image.fromarray(base[..., 0]), transparency=int(base[0, 0, 0]))
    wide = rng.integers(0, 1 << 16, (29, 37, 4))
    png16("rgb16.png", wide[..., :3], 2)
    png16("rgba16.png", wide, 6)
    png16("grey_alpha16.png", wide[..., :2], 4)
    png16("grey16.png", np.where(wide[..., :1] < 30000, wide[..., :1] % 300, wide[..., :1]), 0)
    tRNS = b"tRNS" + struct.pack(">H", 7)
    png16("grey16_transparent.png", wide[..., :1] % 300, 0, struct.pack(">I", 2) + tRNS + struct.pack(">I", zlib.crc32(tRNS)))

    for w, h in [(1, 1), (4, 3), (37, 29)]:
        small = Image.fromarray(picture(w, h))
        pillow(f"lossy_{w}x{h}.webp", small, quality=60)
        pillow(f"{w}x{h}.tif", small, compression="tiff_lzw")
    pillow("lossless.webp", Image.fromarray(base), lossless=True)
    pillow("alpha.webp", Image.fromarray(np.dstack([base, base[..., 0]]), "RGBA"), quality=80)
    pillow("deflate.tif", Image.fromarray(base), compression="tiff_adobe_deflate")
    pillow("packbits.tif", Image.fromarray(base[..., 0]), compression="packbits")
    pillow("palette.tif", Image.fromarray(base).quantize(64))
    pillow("rgba.tif", Image.fromarray(np.dstack([base, base[..., 0]]), "RGBA"))
    pillow("bilevel.tif", Image.fromarray(base[..., 0]).convert("1"))
    pillow("grey16.tif", Image.fromarray(wide[..., 0].astype(np.uint16) % 300))


main()
