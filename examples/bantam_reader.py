#!/usr/bin/env python3
"""A second, independent reader of .bantam files, written from formats/bantam.md alone; sections refer to it.

usage: bantam_reader.py [--no-crc] FILE                        check it, list tensors and blobs as JSON
       bantam_reader.py [--no-crc] FILE --tensor NAME -o OUT   write a tensor as plain row-major bytes
"""
import argparse, hashlib, json, math, mmap, struct, sys

def fields(spec):
    """A list of `name:code`, with the codes of `struct`, T for a text, and the name _ for reserved bytes."""
    pairs = [item.split(":") for item in spec.split()]
    return pairs, struct.Struct("<" + "".join(code.replace("T", "Q") for _, code in pairs))

SUPERBLOCK = fields("magic:12s major:H minor:H generation:8s size:Q index_at:Q index_size:Q index_sha:32s "
                    "meta_at:Q meta_size:Q meta_sha:32s constants:12s _:4s required:512s optional:512s _:2924s crc:I")
SECTION_ENTRY = fields("name:4s flags:I at:Q count:Q width:I crc:I _:8s")
RECORDS = {"TEXT": fields("byte:B"), "DIMS": fields("length:Q"),
           "COMP": fields("name:T first:I count:I offset:Q size:Q"), "ENCO": fields("name:T parameters:T"),
           "LAYT": fields("kind:H bits:H R:H C:H T:H S:H order:H _:18s"), "FILE": fields("path:T size:Q"),
           "TENS": fields("name:T role:T component:I dtype:H rank:H first_dim:I encoding:I first_plane:I planes:I "
                          "alias:I flags:I file:I source_dtype:H _:2s source_name:T source:48s range:24s zeros:Q "
                          "not_finite:Q quantized:T errors:24s _:72s"),
           "PLNE": fields("kind:H _:2s layout:I offset:Q size:Q first_sum:I sums:I _:16s"), "SUMS": fields("crc:I"),
           "BLOB": fields("path:T offset:Q size:Q first_sum:I sums:I sha:32s")}
DTYPES = [item.split(":") for item in (  # section 5: names and bits, in the order of their numbers from 1
    "BOOL:8 F4:4 F6_E2M3:6 F6_E3M2:6 U8:8 I8:8 F8_E5M2:8 F8_E4M3:8 F8_E8M0:8 F8_E4M3FNUZ:8 F8_E5M2FNUZ:8 "
    "I16:16 U16:16 F16:16 BF16:16 I32:32 U32:32 F32:32 C64:64 F64:64 I64:64 U64:64").split()]
MAGIC, CONSTANTS = b"\x89BTM\r\n\x1a\n\4\3\2\1", struct.pack("<4BII", 20, 6, 12, 16, 65536, 256)
CHUNK, KIND_VALUES, ROW_MAJOR, TILED, HALVES, KNOWN_FEATURES = 1 << 20, 1, 0, 1, 1, {""}

def need(condition, message):
    if not condition:
        raise ValueError(message)

def crc_after(register, bits):
    for _ in range(bits):
        register = register >> 1 ^ (0x82F63B78 if register & 1 else 0)
    return register

# Tables of 16 bits take two look-ups for four bytes, which is several times faster than going byte by byte.
CRC_HALF = [crc_after(n, 16) for n in range(65536)]
CRC_WORD = [CRC_HALF[half & 65535] ^ half >> 16 for half in CRC_HALF]

def crc32c(data):
    crc, whole = 0xFFFFFFFF, len(data) & ~3
    for (word,) in struct.iter_unpack("<I", data[:whole]):
        crc = CRC_WORD[(crc ^ word) & 65535] ^ CRC_HALF[(crc ^ word) >> 16]
    for byte in data[whole:]:
        crc = crc_after(crc ^ byte, 8)
    return crc ^ 0xFFFFFFFF

def row_major(layout, data, bits, shape):
    """The elements of a plane in row-major order, packed as section 5 says; section 7 has the layouts."""
    count, rows = math.prod(shape), shape[0] if len(shape) > 1 else 1
    columns, (R, C, T, S) = math.prod(shape[1:]) if len(shape) > 1 else count, (layout[key] for key in "RCTS")
    if layout["kind"] == ROW_MAJOR:
        need(len(data) * 8 == count * bits, "a plane's size does not match its tensor's shape")
        return data
    need(R and C and T and C % T == T * bits % 8 == 0 and layout["bits"] == bits in (4, 8, 16, 32, 64)
         and layout["order"] in (0, HALVES) and count * bits % 8 == 0, "a layout does not match its tensor")
    across, tile = -(-columns // C), R * C * bits // 8
    need(len(data) == across * -(-rows // R) * (tile + S), "a plane's size does not match its tensor's shape")
    data = b"".join([data[at:at + tile] for at in range(0, len(data), tile + S)])  # leaves out the scales
    if bits == 4:  # a byte for each element; in halves, the low nibbles of T/2 bytes precede the high ones
        group = T // 2 if layout["order"] == HALVES else 1
        data = bytes(byte >> shift & 15 for at in range(0, len(data), group) for shift in (0, 4)
                     for byte in data[at:at + group])
    # A band of R rows is now a sequence of turns, also across tiles; a turn has a run of T elements for each row.
    width, lines = max(bits // 8, 1), []
    run, band = T * width, across * R * C * width
    for row in range(rows if count else 0):
        starts = range(row // R * band + row % R * run, (row // R + 1) * band, R * run)
        lines.append(b"".join([data[at:at + run] for at in starts])[:columns * width])
    plain = b"".join(lines)
    return plain if bits > 4 else bytes(low | high << 4 for low, high in zip(plain[::2], plain[1::2]))

def decode_plain(tensor, planes):
    need([plane["kind"] for plane in tensor["planes"]] == [KIND_VALUES], f"{tensor['name']!r}: wrong planes")
    return row_major(tensor["planes"][0]["layout"], planes[0], int(tensor["bits"]), tensor["shape"])

DECODERS = {"plain": decode_plain}  # encoding: function of a tensor and its planes' bytes. Further ones go here

class BantamFile:
    """An open file: `tensors`, `blobs` and `metadata`, and the bytes of a tensor by `plain_bytes`."""

    def __init__(self, path, check_crc=True):
        self.check_crc = check_crc
        with open(path, "rb") as file:
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.read_superblock()
        self.read_index()
        self.check_places()
        self.resolve_tensors()

    def unpack(self, record_fields, data, at=0):
        row = {}
        for (name, code), value in zip(record_fields[0], record_fields[1].unpack_from(data, at)):
            need(name != "_" or self.minor > 0 or not any(value), "reserved bytes are not zero")
            need(code != "Q" or value < 1 << 63, f"{name}: {value} is out of range")
            if code == "T":
                offset, length = value & 0xFFFFFFFF, value >> 32
                need(offset + length <= len(self.texts), "a text lies outside TEXT")
                value = self.texts[offset:offset + length].decode()
            row[name] = value
        return row

    def run(self, section, first, count=1):
        need(first + count <= len(self.records[section]), f"a record points outside {section}")
        return self.records[section][first:first + count]

    def read_superblock(self):  # section 3
        blocks = [self.bytes[at:at + 4096] for at in (0, 4096)]
        sound = [b for b in blocks if len(b) == 4096 and crc32c(b[:4092]) == int.from_bytes(b[4092:], "little")]
        need(sound, "no superblock's checksum holds")
        block = max(sound, key=lambda b: int.from_bytes(b[16:24], "little"))
        major, self.minor = struct.unpack_from("<HH", block, 12)
        need(block[:12] == MAGIC and major == 1, f"not a .bantam file of version 1 (major version {major})")
        self.head = head = self.unpack(SUPERBLOCK, block)
        unknown = set(head["required"].rstrip(b"\0").decode("ascii").split(",")) - KNOWN_FEATURES
        need(not unknown, f"unknown required features: {sorted(unknown)}")
        need(head["size"] <= len(self.bytes), f"the file is cut: {len(self.bytes)} of {head['size']} bytes")
        need(head["constants"] == CONSTANTS, "chunk size or alignments are not those of version 1")
        need(8192 <= head["index_at"] and head["index_at"] + head["index_size"] <= head["meta_at"]
             and head["meta_at"] + head["meta_size"] <= head["size"] and head["index_size"] <= 1 << 30
             and head["meta_size"] <= 1 << 26 and head["index_at"] % 4096 == head["meta_at"] % 64 == 0,
             "index or metadata table are misplaced")

    def table(self, name, magic, least):
        data = self.bytes[self.head[name + "_at"]:self.head[name + "_at"] + self.head[name + "_size"]]
        need(hashlib.sha256(data).digest() == self.head[name + "_sha"], f"{name} table: SHA-256 does not match")
        need(len(data) >= least and data[:8] == magic, f"{name} table: begins wrongly")
        return data

    def read_index(self):  # sections 4 and 6; metadata from before an edit count no longer
        data, meta, sections = self.table("index", b"BTMINDEX", 16), self.table("meta", b"BTMMETA1", 64), {}
        self.metadata, (count, entry_size) = json.loads(meta[64:].decode()), struct.unpack_from("<II", data, 8)
        need(int.from_bytes(meta[56:64], "little") == len(meta) - 64 and isinstance(self.metadata, dict),
             "the metadata have a wrong size or are no JSON object")
        end = 16 + count * 40
        need(entry_size == 40 and end <= len(data), "the section table has a wrong size")
        for at in range(16, end, 40):
            entry = self.unpack(SECTION_ENTRY, data, at)
            name, start, gap = entry["name"].decode("ascii"), entry["at"], data[end:entry["at"]]
            need(name not in sections and start == -(-end // 8) * 8 and not any(gap), f"{name!r} is misplaced")
            end = start + entry["count"] * entry["width"]
            need(end <= len(data) and crc32c(data[start:end]) == entry["crc"], f"section {name!r} is damaged")
            need(name in RECORDS or not entry["flags"] & 1, f"section {name!r} is unknown, and required")
            sections[name] = range(start, end, entry["width"] or 1)
        need([name for name in sections if name in RECORDS] == list(RECORDS), "sections are missing or misplaced")
        need(end == len(data) and sections["TEXT"].step == 1, "the index does not end with its last section")
        self.texts, self.records = data[sections["TEXT"].start:sections.pop("TEXT").stop], {}
        for name in sections.keys() & RECORDS.keys():
            need(sections[name].step >= RECORDS[name][1].size, f"{name}: records are too short")
            self.records[name] = [self.unpack(RECORDS[name], data, at) for at in sections[name]]
        self.tensors, self.blobs = self.records["TENS"], self.records["BLOB"]

    def check_places(self):  # sections 2 and 5: where planes and blobs lie; every byte between them is zero
        index, end = {"offset": self.head["index_at"], "size": 0, "first_sum": 0, "sums": 0}, 8192
        for place in sorted(self.records["PLNE"] + self.blobs, key=lambda p: (p["offset"], p["size"])) + [index]:
            align = 4096 if place["size"] >= 65536 and "kind" in place else 64
            need(end <= place["offset"] and place["offset"] % align == 0, "a plane or blob is misplaced")
            need(not self.bytes[end:place["offset"]].strip(b"\0"), "bytes between planes or blobs are not zero")
            need(place["sums"] == -(-place["size"] // 2**20), "a plane or blob has a wrong number of chunks")
            place["crcs"] = [row["crc"] for row in self.run("SUMS", place["first_sum"], place["sums"])]
            end = place["offset"] + place["size"]

    def resolve_tensors(self):  # section 5: names and records take the place of numbers
        done = 0
        for plane in self.records["PLNE"]:
            (plane["layout"],) = self.run("LAYT", plane["layout"])
        for number, part in enumerate(self.records["COMP"]):
            need(part["first"] == done, "components do not cover the tensors in order")
            for tensor in self.run("TENS", done, part["count"]):
                need(tensor["component"] == number and 0 < tensor["dtype"] <= len(DTYPES) and tensor["rank"] <= 64,
                     f"{tensor['name']!r}: wrong component, dtype or rank")
                tensor["component"], (tensor["dtype"], tensor["bits"]) = part["name"], DTYPES[tensor["dtype"] - 1]
                tensor["shape"] = [row["length"] for row in self.run("DIMS", tensor["first_dim"], tensor["rank"])]
                tensor["encoding"] = self.run("ENCO", tensor["encoding"])[0]["name"]
                tensor["planes"] = self.run("PLNE", tensor["first_plane"], tensor["planes"])
            done += part["count"]
        need(done == len(self.tensors) == len({t["name"] for t in self.tensors}), "tensors are stray or share a name")
        for tensor in (tensor for tensor in self.tensors if tensor["alias"]):
            (other,) = self.run("TENS", tensor["alias"] - 1)
            need(not other["alias"] and not tensor["planes"] and all(tensor[key] == other[key] for key in (
                 "dtype", "shape", "encoding")), f"{tensor['name']!r} does not match the tensor that it shares")
            tensor["planes"] = other["planes"]

    def checked(self, place):
        data = self.bytes[place["offset"]:place["offset"] + place["size"]]
        for number, crc in enumerate(place["crcs"] if self.check_crc else ()):
            need(crc32c(data[number << 20:number + 1 << 20]) == crc, f"damaged chunk {number} at {place['offset']}")
        return data

    def plain_bytes(self, tensor):
        """The tensor's elements, row-major in its dtype; None where the encoding or a layout is unknown."""
        planes, decode = [self.checked(plane) for plane in tensor["planes"]], DECODERS.get(tensor["encoding"])
        known = decode and all(plane["layout"]["kind"] in (ROW_MAJOR, TILED) for plane in tensor["planes"])
        return decode(tensor, planes) if known else None

def listing(file):
    tensors, blobs = [], []
    for tensor in file.tensors:
        plain = file.plain_bytes(tensor)
        tensors.append({key: tensor[key] for key in ("name", "component", "dtype", "shape", "encoding")} | {
            "sha256": None if plain is None else hashlib.sha256(plain).hexdigest()})
    for blob in file.blobs:
        digest = hashlib.sha256(file.checked(blob))
        need(digest.digest() == blob["sha"], f"blob {blob['path']!r}: SHA-256 does not match")
        blobs.append({"name": blob["path"], "bytes": blob["size"], "sha256": digest.hexdigest()})
    return {"tensors": tensors, "blobs": blobs}

def main():
    parser = argparse.ArgumentParser(usage=__doc__.split("usage: ")[1])
    parser.add_argument("file")
    parser.add_argument("--tensor")
    parser.add_argument("-o", dest="out")
    parser.add_argument("--no-crc", action="store_true")
    arguments = parser.parse_args()
    try:
        file = BantamFile(arguments.file, not arguments.no_crc)
        if arguments.tensor is None:
            return print(json.dumps(listing(file), indent=1))
        tensor = next((tensor for tensor in file.tensors if tensor["name"] == arguments.tensor), None)
        need(tensor and arguments.out, "no such tensor, or no -o OUT")
        plain = file.plain_bytes(tensor)
        need(plain is not None, "this reader does not know the tensor's encoding or layout")
        with open(arguments.out, "wb") as out:
            out.write(plain)
    except (ValueError, OSError, RecursionError, struct.error) as error:
        print(f"bantam_reader: error: {error}", file=sys.stderr)
        return 65

if __name__ == "__main__":
    sys.exit(main())
