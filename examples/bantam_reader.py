#!/usr/bin/env python3
"""A second, independent reader of .bantam files, written from formats/bantam.md alone; sections refer to it.

usage: bantam_reader.py [--no-crc] FILE                        check it, list tensors and blobs as JSON
       bantam_reader.py [--no-crc] FILE --tensor NAME -o OUT   write a tensor as plain row-major bytes
"""
import argparse, hashlib, json, math, mmap, struct, sys

def fields(spec):
    """A field list of `name:code`: the codes of `struct`, T for a text, G for a u64 that is no size; _ is reserved."""
    pairs = [item.split(":") for item in spec.split()]
    return pairs, struct.Struct("<" + "".join(code.replace("T", "Q").replace("G", "Q") for _, code in pairs))

SUPERBLOCK = fields("magic:12s major:H minor:H generation:G size:Q index_at:Q index_size:Q index_sha:32s meta_at:Q "
                    "meta_size:Q meta_sha:32s logarithms:4s large_from:I tail:I _:4s required:512s optional:512s "
                    "_:2924s crc:I")
SECTION_ENTRY = fields("name:4s flags:I at:Q count:Q width:I crc:I _:8s")
RECORDS = {"TEXT": fields("byte:B"), "DIMS": fields("length:Q"),
           "COMP": fields("name:T first:I count:I offset:Q size:Q"), "ENCO": fields("name:T parameters:T"),
           "LAYT": fields("kind:H bits:H R:H C:H T:H S:H order:H _:18s"), "FILE": fields("path:T size:Q"),
           "TENS": fields("name:T role:T component:I dtype:H rank:H first_dim:I encoding:I first_plane:I planes:I "
                          "alias:I flags:I file:I source_dtype:H _:2s source_name:T source_at:Q source_size:Q "
                          "source_sha:32s low:d high:d rms:d zeros:Q not_finite:Q quantized:T errors:24s _:72s"),
           "PLNE": fields("kind:H _:2s layout:I offset:Q size:Q first_sum:I sums:I _:16s"), "SUMS": fields("crc:I"),
           "BLOB": fields("path:T offset:Q size:Q first_sum:I sums:I sha:32s")}
DTYPES = [item.split(":") for item in (  # section 5: names and bits, in the order of their numbers from 1
    "BOOL:8 F4:4 F6_E2M3:6 F6_E3M2:6 U8:8 I8:8 F8_E5M2:8 F8_E4M3:8 F8_E8M0:8 F8_E4M3FNUZ:8 F8_E5M2FNUZ:8 I16:16 "
    "U16:16 F16:16 BF16:16 I32:32 U32:32 F32:32 C64:64 F64:64 I64:64 U64:64").split()]
MAGIC, CHUNK, VALUES, ROW_MAJOR, TILED = b"\x89BTM\r\n\x1a\n\4\3\2\1", 1 << 20, 1, 0, 1
KNOWN_FEATURES = set()

class BantamError(ValueError):
    """The file is damaged or breaks the specification."""

class Unreadable(BantamError):
    """The file is sound, but the tensor has an encoding or a layout that this reader does not know."""

def need(condition, message, error=BantamError):
    if not condition:
        raise error(message)

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

class BantamFile:
    """An open file: `tensors`, `blobs` and `metadata`, and the bytes of a tensor by `plain_bytes`."""

    def __init__(self, path, check_crc=True):
        self.check_crc = check_crc
        with open(path, "rb") as file:
            need(file.read(1), "the file is empty")  # which mmap cannot map
            self.bytes = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        self.read_superblock()
        self.read_metadata()
        self.read_index()
        self.check_places()
        self.resolve_tensors()

    def unpack(self, record_fields, data, at=0):
        row = {}
        for (name, code), value in zip(record_fields[0], record_fields[1].unpack_from(data, at)):
            need(name != "_" or self.minor > 0 or not any(value), "reserved bytes are not zero")
            need(code != "Q" or value < 1 << 63, f"{name}: {value} is out of range")
            row[name] = self.text(value & 0xFFFFFFFF, value >> 32) if code == "T" else value
        return row

    def text(self, at, length):
        need(at + length <= len(self.texts), "a text lies outside TEXT")
        return self.texts[at:at + length].decode()

    def run(self, section, first, count=1):
        need(0 <= first and first + count <= len(self.records[section]), f"a record points outside {section}")
        return self.records[section][first:first + count]

    def read_superblock(self):  # section 3
        blocks = [self.bytes[at:at + 4096] for at in (0, 4096)]
        sound = [b for b in blocks if len(b) == 4096 and crc32c(b[:4092]) == int.from_bytes(b[4092:], "little")]
        need(sound, "no superblock's checksum holds")
        block = max(sound, key=lambda b: int.from_bytes(b[16:24], "little"))
        major, self.minor = struct.unpack_from("<HH", block, 12)
        need(block[:12] == MAGIC and major == 1, f"not a .bantam file of version 1 (magic or version {major})")
        self.head = head = self.unpack(SUPERBLOCK, block)
        unknown = set(head["required"].rstrip(b"\0").decode("ascii").split(",")) - KNOWN_FEATURES - {""}
        need(not unknown, f"unknown required features: {sorted(unknown)}")
        need(head["size"] <= len(self.bytes), f"the file is cut: {len(self.bytes)} of {head['size']} bytes")
        need((*head["logarithms"], head["large_from"], head["tail"]) == (20, 6, 12, 16, 65536, 256),
             "chunk size or alignments are not those of version 1")
        need(8192 <= head["index_at"] and head["index_at"] + head["index_size"] <= head["meta_at"]
             and head["meta_at"] + head["meta_size"] <= head["size"] and head["index_size"] <= 1 << 30
             and head["meta_size"] <= 1 << 26 and head["index_at"] % 4096 == head["meta_at"] % 64 == 0,
             "index or metadata table are out of place")

    def table(self, name, magic, least):
        data = self.bytes[self.head[name + "_at"]:][:0] or self.slice(self.head[name + "_at"], self.head[name + "_size"])
        return data
