"""A second, independent reader of .bantam files, written from formats/bantam.md alone; sections refer to it.

usage: bantam_reader.py [--no-crc] FILE                        check it, list tensors and blobs as JSON
       bantam_reader.py [--no-crc] FILE --tensor NAME -o OUT   write a tensor as plain row-major bytes
"""
import argparse, hashlib, json, math, mmap, struct, sys

def fields(spec):  # of `name:code`, with the codes of `struct`, T for a text, the name _ for reserved bytes
    pairs = [item.split(":") for item in spec.split()]
    return pairs, struct.Struct("<" + "".join(code.replace("T", "Q") for _, code in pairs))

SUPERBLOCK = fields("magic:14s minor:H generation:8s size:Q index_at:Q index_size:Q index_sha:32s meta_at:Q "
                    "meta_size:Q meta_sha:32s fixed:12s _:4s required:512s optional:512s _:2924s crc:I")
SECTION_ENTRY = fields("name:4s flags:I at:Q count:Q width:I crc:I _:8s")
RECORDS = {"TEXT": "byte:B", "DIMS": "length:Q", "COMP": "name:T first:I count:I offset:Q size:Q",
           "ENCO": "name:T parameters:T", "LAYT": "kind:H bits:H R:H C:H T:H S:H order:H taps:H segment:I _:12s",
           "FILE": "path:T size:Q", "TENS": "name:T role:T component:I dtype:H rank:H dims:I encoding:I "
           "first_plane:I planes:I alias:I flags:I file:I source_dtype:H _:2s source:128s _:72s",
           "PLNE": "kind:H _:2s layout:I offset:Q size:Q first_sum:I sums:I _:16s", "SUMS": "crc:I",
           "BLOB": "path:T offset:Q size:Q first_sum:I sums:I sha:32s"}
DTYPES = [item.split(":") for item in (  # section 5: names and bits, in the order of their numbers from 1
    "BOOL:8 F4:4 F6_E2M3:6 F6_E3M2:6 U8:8 I8:8 F8_E5M2:8 F8_E4M3:8 F8_E8M0:8 F8_E4M3FNUZ:8 F8_E5M2FNUZ:8 "
    "I16:16 U16:16 F16:16 BF16:16 I32:32 U32:32 F32:32 C64:64 F64:64 I64:64 U64:64").split()]
MAGIC = b"\x89BTM\r\n\x1a\n\4\3\2\1\1\0"  # section 3: with the byte order, and the major version
VALUES, ROW_MAJOR, TILED, SEGMENTED, SLICED, HALVES, TAP_MAJOR = 1, 0, 1, 2, 3, 1, 1

def need(condition, message):
    if not condition:
        raise ValueError(message)
CRC_TABLE = list(range(256))
for _ in range(8):
    CRC_TABLE = [n >> 1 ^ (0x82F63B78 if n & 1 else 0) for n in CRC_TABLE]

def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = CRC_TABLE[(crc ^ byte) & 255] ^ crc >> 8
    return crc ^ 0xFFFFFFFF

def row_major(layout, data, bits, shape):
    """The elements of a plane in row-major order, packed as section 5 says; section 7 has the layouts."""
    count, (R, C, T, S) = math.prod(shape), (layout[key] for key in "RCTS")
    rows, columns = (shape[0], math.prod(shape[1:])) if len(shape) > 1 and count else (1, count)
    if layout["kind"] == ROW_MAJOR and len(data) * 8 == count * bits:
        return data
    need(layout["kind"] == TILED and R and C and T and C % T == T * bits % 8 == count * bits % 8 == 0 and
         layout["bits"] == bits in (4, 8, 16, 32, 64) and layout["order"] <= HALVES, "a layout does not fit")
    across, tile, width = -(-columns // C), R * C * bits // 8, max(bits // 8, 1)
    need(len(data) == across * -(-rows // R) * (tile + S), "a plane's size does not match its tensor's shape")
    data = b"".join([data[at:at + tile] for at in range(0, len(data), tile + S)])  # leaves out the scales
    if bits == 4:  # a byte for each element; in halves, the low nibbles of T/2 bytes precede the high ones
        step = T // 2 if layout["order"] == HALVES else 1
        data = bytes(b >> s & 15 for i in range(0, len(data), step) for s in (0, 4) for b in data[i:i + step])
    # A band of R rows is now a row of turns, also across tiles; a turn has a run of T elements for each row.
    run, band = T * width, across * R * C * width
    starts = (range(r // R * band + r % R * run, (r // R + 1) * band, R * run) for r in range(rows))
    plain = b"".join([b"".join([data[at:at + run] for at in line])[:columns * width] for line in starts])
    return plain if bits > 4 else bytes(low | high << 4 for low, high in zip(plain[::2], plain[1::2]))

def padded_segments(layout, shape):
    """Section 7, kind 2: the matrix as one row of whole tiles for each segment, and where each column of the source lies."""
    columns = math.prod(shape[1:])
    if layout["kind"] not in (SEGMENTED, SLICED):
        need(not layout["taps"] and not layout["segment"], "a layout of kind 0 or 1 has segments")
        return [shape[0], -(-columns // layout["C"]) * layout["C"]], range(columns)
    need(layout["taps"] or layout["segment"] or layout["kind"] == SLICED, "a layout of kind 2 has neither an order nor segments")
    taps = math.prod(shape[2:]) if layout["taps"] == TAP_MAJOR and len(shape) == 4 else 1
    segment = layout["segment"] or columns
    need(layout["taps"] <= TAP_MAJOR and columns % segment == 0, "a layout's segments do not fit")
    places = [c % taps * (columns // taps) + c // taps for c in range(columns)]
    width = -(-segment // layout["C"]) * layout["C"]
    return [shape[0], columns // segment * width], [p // segment * width + p % segment for p in places]

def decode_plain(tensor, planes):
    need(len(planes) == 1 and planes[0][0] == VALUES, f"{tensor['name']!r}: not one plane of values")
    (_, layout, data), bits, shape = planes[0], int(tensor["bits"]), tensor["shape"]
    if layout["kind"] != SEGMENTED:
        return row_major(layout, data, bits, shape)
    padded, places = padded_segments(layout, shape)
    need(bits >= 8, "elements of less than a byte in segments")
    plain, width = row_major(layout | {"kind": TILED}, data, bits, padded), bits // 8
    return b"".join(plain[(r * padded[1] + p) * width:][:width] for r in range(shape[0]) for p in places)

def decode_group(tensor, planes):  # section 8: rows of whole groups first, then the columns that there are
    (_, code_layout, codes), (_, scale_layout, scales) = planes
    (rows, columns), places = padded_segments(code_layout, tensor["shape"])
    bits, groups = code_layout["bits"], columns // 32
    codes = row_major(code_layout | {"kind": TILED}, codes, bits, [rows, columns])
    codes = codes if bits == 8 else bytes(nibble for byte in codes for nibble in (byte & 15, byte >> 4))
    scale = struct.unpack(f"<{rows * groups}e", row_major(scale_layout, scales, 16, [rows, groups]))
    values = ((codes[r * columns + p] - (1 << bits - 1)) * scale[r * groups + p // 32]
              for r in range(rows) for p in places)
    return struct.pack(f"<{rows * len(places)}f", *values)

def joined_slices(layout, data, bits, rows, columns):
    """Section 7, kind 3: elements of 3, 5 or 6 bits of whole tiles, a byte each, row-major."""
    R, C, T, S = (layout[key] for key in "RCTS")
    need(bits in (3, 5, 6) and T and C == 8 * T and R * T % 8 == layout["order"] == 0, "a layout does not fit")
    turn, across = R * T, columns // C
    tile = R * C * bits // 8 + S
    need(len(data) == across * -(-rows // R) * tile, "a plane's size does not match its tensor's shape")
    out = bytearray(rows * columns)
    for r in range(rows):
        for c in range(columns):
            j, i = c % C // T, r % R * T + c % T
            at, element, done = (r // R * across + c // C) * tile, 0, 0
            for width in (4, 2):
                if bits & width:
                    sharing = 8 // width
                    byte = data[at + j // sharing * turn + i]
                    element |= (byte >> j % sharing * width & (1 << width) - 1) << done
                    at, done = at + 8 // sharing * turn, done + width
            if bits & 1:
                element |= (data[at + (j * turn + i) // 8] >> (j * turn + i) % 8 & 1) << done
            out[r * columns + c] = element
    return bytes(out)

def decode_book(tensor, planes):  # section 9
    (_, code_layout, codes), (_, byte_layout, bytes_), (_, row_layout, row_scales) = planes
    book = json.loads(tensor["parameters"])
    (rows, columns), places = padded_segments(code_layout, tensor["shape"])
    bits, group, levels, shifts = (book[key] for key in ("bits", "group", "levels", "shifts"))
    need(code_layout["bits"] == bits and group in (16, 32) and len(shifts) in (1, 2, 4), "not the encoding's planes")
    levels = levels or range(-128, 128)
    need(len(levels) == 1 << bits, "a book has another number of levels")
    if code_layout["kind"] == SLICED:
        codes = joined_slices(code_layout, codes, bits, rows, columns)
    else:
        codes = row_major(code_layout | {"kind": TILED}, codes, bits, [rows, columns])
        codes = codes if bits == 8 else bytes(nibble for byte in codes for nibble in (byte & 15, byte >> 4))
    groups, most = columns // group, 127 // len(shifts)
    multiples = row_major(byte_layout, bytes_, 8, [rows, groups])
    scale = [struct.unpack("<f", b"\0\0" + row_scales[2 * r:2 * r + 2])[0] for r in range(rows)]
    need(row_layout["kind"] == TILED and len(row_scales) == -(-rows // 16) * 32, "not a plane of row scales")
    def value(r, p):
        byte = multiples[r * groups + p // group]
        magnitude, shift = byte & most, shifts[(byte & 127) // (most + 1)]
        return scale[r] * ((-magnitude if byte & 128 else magnitude) * (levels[codes[r * columns + p]] + shift))
    return struct.pack(f"<{rows * len(places)}f", *(value(r, p) for r in range(rows) for p in places))

# Further encodings go here: functions of a tensor and its planes, each of which is (kind, layout, bytes).
DECODERS = {"plain": decode_plain, "int8-g32": decode_group, "int4-g32": decode_group} | dict.fromkeys(
    ("book3-g32", "book4-g32", "book4-g16", "book5-g32", "book6-g32", "even8-g32"), decode_book)

class BantamFile:
    """An open file: `tensors`, `blobs` and `metadata`, and the bytes of a tensor by `plain_bytes`."""
    def __init__(self, path, check_crc=True):
        self.check_crc, self.records = check_crc, {}
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        [step() for step in (self.read_superblock, self.read_index, self.check_places, self.resolve_tensors)]
    def unpack(self, record_fields, data, at=0):
        row = {}
        for (name, code), value in zip(record_fields[0], record_fields[1].unpack_from(data, at)):
            need(name != "_" or self.minor > 1 or not any(value), "reserved bytes are not zero")
            need(code != "Q" or value < 1 << 63, f"{name}: {value} is out of range")
            if code == "T":  # the offset is in the low half, the length in the high one
                value = self.run("TEXT", value & 0xFFFFFFFF, value >> 32).decode()
            row[name] = value
        return row
    def run(self, section, first, count=1):
        need(section in self.records and first + count <= len(self.records[section]), f"outside of {section}")
        return self.records[section][first:first + count]
    def read_superblock(self):  # section 3
        blocks = self.bytes[:4096], self.bytes[4096:8192]
        sound = [b for b in blocks if crc32c(b[:4092]).to_bytes(4, "little") == b[4092:]]
        need(sound, "no superblock's checksum holds")
        block = max(sound, key=lambda b: int.from_bytes(b[16:24], "little"))
        need(block[:14] == MAGIC, "not a .bantam file of major version 1")
        self.minor = int.from_bytes(block[14:16], "little")
        self.head = head = self.unpack(SUPERBLOCK, block)
        need(not any(head["required"]), f"unknown required features {head['required'].rstrip(bytes(1))}")
        need(head["size"] <= len(self.bytes), f"the file is cut: {len(self.bytes)} of {head['size']} bytes")
        need(head["fixed"] == struct.pack("<4BII", 20, 6, 12, 16, 65536, 256), "unknown alignments")
    def table(self, name, magic, align, most, end):
        at, size, sha = (self.head[name + part] for part in ("_at", "_size", "_sha"))
        need(at >= 8192 and at % align == 0 and size <= most and at + size <= end, f"{name}: misplaced table")
        data = self.bytes[at:at + size]
        need(hashlib.sha256(data).digest() == sha and data[:8] == magic, f"{name}: damaged table")
        return data
    def read_index(self):  # sections 4 and 6; metadata from before an edit count no longer
        meta = self.table("meta", b"BTMMETA1", 64, 1 << 26, self.head["size"])
        data = self.table("index", b"BTMINDEX", 4096, 1 << 30, self.head["meta_at"])
        self.metadata = metadata = json.loads(meta[64:].decode())
        need(type(metadata) is dict and meta[56:64] == (len(meta) - 64).to_bytes(8, "little"), "bad metadata")
        count, entry_size = struct.unpack_from("<II", data, 8)
        need(entry_size == 40 and (end := 16 + count * 40) <= len(data), "the section table has a wrong size")
        for entry in [self.unpack(SECTION_ENTRY, data, at) for at in range(16, end, 40)]:
            name, start, gap = entry["name"].decode("ascii"), -(-end // 8) * 8, data[end:entry["at"]]
            need(name not in self.records and entry["at"] == start and not any(gap), f"{name!r} is misplaced")
            end = start + entry["count"] * entry["width"]
            need(end <= len(data) and crc32c(data[start:end]) == entry["crc"], f"section {name!r}: damaged")
            need(name in RECORDS or not entry["flags"] & 1, f"section {name!r}: unknown and required")
            self.records[name] = data[start:end]
            if name in RECORDS and name != "TEXT":
                spec, width = fields(RECORDS[name]), entry["width"]
                need(width >= spec[1].size, f"section {name!r}: records are too short")
                self.records[name] = [self.unpack(spec, data, at) for at in range(start, end, width)]
        need(end == len(data) and [n for n in self.records if n in RECORDS] == list(RECORDS), "bad sections")
        self.tensors, self.blobs = self.records["TENS"], self.records["BLOB"]
    def check_places(self):  # sections 2 and 5: where planes and blobs lie; every byte between them is zero
        end, last = 8192, {"offset": self.head["index_at"], "size": 0, "first_sum": 0, "sums": 0}
        for p in sorted(self.records["PLNE"] + self.blobs, key=lambda p: (p["offset"], p["size"])) + [last]:
            align = 4096 if p["size"] >= 65536 and "kind" in p else 64
            need(end <= p["offset"] and p["offset"] % align == 0, f"misplaced plane or blob: {p['offset']}")
            need(not self.bytes[end:p["offset"]].strip(b"\0"), f"bytes from {end} on are not zero")
            need(p["sums"] == -(-p["size"] >> 20), f"plane or blob at {p['offset']}: wrong number of chunks")
            p["crcs"] = [row["crc"] for row in self.run("SUMS", p["first_sum"], p["sums"])]
            end = p["offset"] + p["size"]
    def resolve_tensors(self):  # section 5: names and records take the place of numbers
        done = 0
        for number, part in enumerate(self.records["COMP"]):
            need(part["first"] == done, "components do not cover the tensors in order")
            for t in self.run("TENS", done, part["count"]):
                need(t["component"] == number, f"{t['name']!r}: not in its component")
                need(0 < t["dtype"] <= len(DTYPES) and t["rank"] <= 64, f"{t['name']!r}: bad dtype or rank")
                t["component"], (t["dtype"], t["bits"]) = part["name"], DTYPES[t["dtype"] - 1]
                t["shape"] = [row["length"] for row in self.run("DIMS", t["dims"], t["rank"])]
                t["encoding"], t["parameters"] = (self.run("ENCO", t["encoding"])[0][k] for k in ("name", "parameters"))
                t["planes"] = self.run("PLNE", t["first_plane"], t["planes"])
            done += part["count"]
        need(done == len(self.tensors) == len({t["name"] for t in self.tensors}), "stray tensors or names")
        for t in [t for t in self.tensors if t["alias"]]:
            (other,) = self.run("TENS", t["alias"] - 1)
            same = not other["alias"] and all(t[key] == other[key] for key in ("dtype", "shape", "encoding"))
            need(same and not t["planes"], f"{t['name']!r} does not match the tensor whose planes it shares")
            t["planes"] = other["planes"]
    def checked(self, place):
        data = self.bytes[place["offset"]:place["offset"] + place["size"]]
        for number, crc in enumerate(place["crcs"] if self.check_crc else ()):
            need(crc32c(data[number << 20:number + 1 << 20]) == crc, f"damage near {place['offset']}")
        need("sha" not in place or hashlib.sha256(data).digest() == place["sha"], "a blob's SHA-256 is wrong")
        return data
    def plain_bytes(self, tensor):
        """The elements, row-major in the tensor's dtype; None where the encoding or a layout is unknown."""
        planes = [(p["kind"], *self.run("LAYT", p["layout"]), self.checked(p)) for p in tensor["planes"]]
        known = tensor["encoding"] in DECODERS and all(layout["kind"] <= SLICED for _, layout, _ in planes)
        return DECODERS[tensor["encoding"]](tensor, planes) if known else None

def listing(file):
    tensors = [{key: tensor[key] for key in ("name", "component", "dtype", "shape", "encoding")} | {
        "sha256": None if (plain := file.plain_bytes(tensor)) is None else hashlib.sha256(plain).hexdigest()}
               for tensor in file.tensors]
    blobs = [{"name": b["path"], "bytes": len(file.checked(b)), "sha256": b["sha"].hex()} for b in file.blobs]
    return {"tensors": tensors, "blobs": blobs}

def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    for name in ("file", "--tensor", "-o"):
        parser.add_argument(name)
    parser.add_argument("--no-crc", action="store_true")
    arguments = parser.parse_args()
    try:
        file = BantamFile(arguments.file, not arguments.no_crc)
        if arguments.tensor is None:
            return print(json.dumps(listing(file), indent=1))
        found = [file.plain_bytes(tensor) for tensor in file.tensors if tensor["name"] == arguments.tensor]
        need(found and arguments.o, "no such tensor, or no -o OUT")
        need(found[0] is not None, "the tensor's encoding or layout is unknown")
        with open(arguments.o, "wb") as out:
            out.write(found[0])
    except (ValueError, OSError, RecursionError, struct.error) as error:
        print(f"bantam_reader: error: {error}", file=sys.stderr)
        return 65

if __name__ == "__main__":
    sys.exit(main())
