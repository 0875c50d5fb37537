#!/usr/bin/env python3
"""Puts 8-bit RGB pictures of one height side by side. Usage: side_by_side.py OUT.png A.png B.png ..."""
import struct
import sys
import zlib


def read(path):
    data = open(path, "rb").read()
    position, packed, size = 8, b"", None
    while position < len(data):
        length, kind = struct.unpack(">I4s", data[position:position + 8])
        body = data[position + 8:position + 8 + length]
        if kind == b"IHDR":
            size = struct.unpack(">II", body[:8])
        if kind == b"IDAT":
            packed += body
        position += length + 12
    width, height = size
    raw, rows, above = zlib.decompress(packed), [], bytes(3 * width)
    for y in range(height):
        kind = raw[y * (3 * width + 1)]
        line = bytearray(raw[y * (3 * width + 1) + 1:(y + 1) * (3 * width + 1)])
        for i in range(3 * width):
            a, b, c = (line[i - 3] if i > 2 else 0), above[i], (above[i - 3] if i > 2 else 0)
            p = a + b - c
            nearest = min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]
            line[i] = (line[i] + (0, a, b, (a + b) // 2, nearest)[kind]) & 255
        rows.append(bytes(line))
        above = line
    return width, rows


def chunk(kind, body):
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


pictures = [read(path) for path in sys.argv[2:]]
height = min(len(rows) for _, rows in pictures)
lines = b"".join(b"\0" + b"".join(rows[y] for _, rows in pictures) for y in range(height))
header = struct.pack(">IIBBBBB", sum(width for width, _ in pictures), height, 8, 2, 0, 0, 0)
with open(sys.argv[1], "wb") as out:
    out.write(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))
