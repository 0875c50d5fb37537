#!/usr/bin/env python3
"""Writes small pictures of many kinds, what PIL reads from them, and digests of PIL's resizing. Pillow 13.0.0."""
import hashlib
import io
import json
import os
import random

import numpy as np
from PIL import Image, ImageOps

HERE = os.path.dirname(os.path.abspath(__file__))
expected = {}


def digest(image):
    return hashlib.sha256(image.tobytes()).hexdigest()


def keep(name, data):
    with open(os.path.join(HERE, name), "wb") as f:
        f.write(data)
    image = ImageOps.exif_transpose(Image.open(io.BytesIO(data)))
    image = image.convert("RGB")
    expected[name] = dict(width=image.width, height=image.height, sha256=digest(image))


def encode(image, kind, **options):
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def pixels(seed, width, height, channels=3):
    """The same numbers in every language: a linear congruential generator's upper bytes."""
    state, out = seed, bytearray()
    for _ in range(width * height * channels):
        state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
        out.append(state >> 56)
    return bytes(out)


y, x = np.mgrid[0:21, 0:34]
base = np.stack([x * 7, y * 11, (x + y) * 4], -1).astype("uint8")
rgb = Image.fromarray(base)
alpha = rgb.copy()
alpha.putalpha(Image.fromarray((x * 7).astype("uint8")))
keep("rgb.png", encode(rgb, "PNG"))
keep("alpha.png", encode(alpha, "PNG"))
keep("gray.png", encode(rgb.convert("L"), "PNG"))
keep("gray-alpha.png", encode(alpha.convert("LA"), "PNG"))
keep("palette.png", encode(rgb.quantize(16), "PNG"))
keep("palette-transparent.png", encode(rgb.quantize(16), "PNG", transparency=3))
keep("bilevel.png", encode(rgb.convert("1"), "PNG"))
keep("rgb.jpg", encode(rgb, "JPEG", quality=90))
keep("rgb-444.jpg", encode(rgb, "JPEG", quality=95, subsampling=0))
keep("progressive.jpg", encode(rgb, "JPEG", quality=80, progressive=True))
keep("gray.jpg", encode(rgb.convert("L"), "JPEG"))
keep("cmyk.jpg", encode(rgb.convert("CMYK"), "JPEG", quality=95))
keep("lossy.webp", encode(rgb, "WEBP", quality=80))
keep("lossless.webp", encode(rgb, "WEBP", lossless=True))
keep("alpha.webp", encode(alpha, "WEBP", lossless=True, exact=True))
for n in range(1, 9):
    exif = Image.Exif()
    exif[0x0112] = n
    keep(f"orientation{n}.jpg", encode(rgb, "JPEG", quality=95, exif=exif))
exif = Image.Exif()
exif[0x0112] = 6
keep("orientation6.png", encode(rgb, "PNG", exif=exif))


# Orientation elsewhere than in a JPEG's or PNG's Exif block, and animations.
def xmp(n, as_element=False):
    body = f"<tiff:Orientation>{n}</tiff:Orientation>" if as_element else ""
    attribute = "" if as_element else f' tiff:Orientation="{n}"'
    return (f'<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
            f'<rdf:Description xmlns:tiff="http://ns.adobe.com/tiff/1.0/"{attribute}>{body}</rdf:Description>'
            f'</rdf:RDF></x:xmpmeta>').encode()


for n in (3, 6, 8):
    exif = Image.Exif()
    exif[0x0112] = n
    keep(f"orientation{n}.webp", encode(rgb, "WEBP", lossless=True, exif=exif))
keep("xmp6.webp", encode(rgb, "WEBP", lossless=True, xmp=xmp(6)))
keep("xmp5.jpg", encode(rgb, "JPEG", quality=95, xmp=xmp(5)))
keep("xmp-element7.jpg", encode(rgb, "JPEG", quality=95, xmp=xmp(7, True)))
exif = Image.Exif()
exif[0x0112] = 8
keep("exif8-before-xmp3.jpg", encode(rgb, "JPEG", quality=95, exif=exif, xmp=xmp(3)))
from PIL import PngImagePlugin

text = PngImagePlugin.PngInfo()
text.add_itxt("XML:com.adobe.xmp", xmp(4).decode())
keep("xmp4.png", encode(rgb, "PNG", pnginfo=text))
block = exif.tobytes()
text = PngImagePlugin.PngInfo()
text.add_text("Raw profile type exif", f"\nexif\n{len(block):8d}\n" + "".join(block.hex()[i:i + 72] + "\n" for i in range(0, 2 * len(block), 72)), zip=True)
keep("profile8.png", encode(rgb, "PNG", pnginfo=text))
frames = [alpha, alpha.transpose(Image.FLIP_LEFT_RIGHT), alpha.rotate(180)]
keep("animation.webp", encode(frames[0], "WEBP", save_all=True, append_images=frames[1:], duration=50, lossless=True))
keep("animation.png", encode(rgb, "PNG", save_all=True, append_images=[rgb.rotate(180)], duration=50))

# 16 bits a channel and interlacing, which PIL does not write.
import struct
import zlib


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(depth, colour, raw, interlace=0, width=34, height=21):
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(raw)) + chunk(b"IEND", b"")


wide = base.astype(">u2") * 257 + np.arange(34)[None, :, None].astype(">u2") % 100
keep("rgb16.png", png(16, 2, b"".join(b"\0" + row.astype(">u2").tobytes() for row in wide)))
passes = b""
for x0, y0, dx, dy in [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]:
    for row in base[y0::dy, x0::dx]:
        if len(row):
            passes += b"\0" + row.tobytes()
keep("interlaced.png", png(8, 2, passes, interlace=1))

random.seed(1)
resizes = []
for number in range(200):
    w, h = random.randint(1, 90), random.randint(1, 90)
    nw, nh = random.choice([(random.randint(1, 150), random.randint(1, 150)), (w, random.randint(1, 60)), (random.randint(1, 60), h)])
    image = Image.frombytes("RGB", (w, h), pixels(number, w, h)).resize((nw, nh), Image.BICUBIC)
    resizes.append(dict(seed=number, width=w, height=h, to_width=nw, to_height=nh, sha256=digest(image)))

with open(os.path.join(HERE, "expected.json"), "w") as f:
    json.dump(dict(files=expected, resizes=resizes), f, indent=0)
