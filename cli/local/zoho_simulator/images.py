"""Small but real images in four formats; their bytes follow from their id alone."""

from __future__ import annotations

import hashlib
import struct
import zlib
from functools import cache

KINDS = ("jpg", "png", "gif", "webp")
TYPES = {"jpg": "image/jpeg", "png": "image/png", "gif": "image/gif", "webp": "image/webp"}
SIDE = 64


def kind_of(image_id: str) -> str:
    """The format of an image, as a file name's ending."""
    return KINDS[int(image_id) // 11 % len(KINDS)]


def image(image_id: str) -> tuple[str, bytes]:
    """Its type and bytes."""
    kind = kind_of(image_id)
    seed = hashlib.sha256(image_id.encode()).digest()
    return TYPES[kind], {"jpg": jpeg, "png": png, "gif": gif, "webp": webp}[kind](seed)


def png(seed: bytes) -> bytes:
    """Stripes in true colour."""
    stripes = seed * (SIDE * 3 // 32 + 1)
    rows = b"".join(b"\0" + stripes[at % 32 : at % 32 + SIDE * 3] for at in range(SIDE))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows, 1)) + chunk(b"IEND", b"")


def gif(seed: bytes) -> bytes:
    """Stripes of 64 colours; the codes are never compressed, a clear code in time keeps them eight bits wide."""
    palette = b"".join(bytes(seed[(3 * at + part) % 32] for part in range(3)) for at in range(128))
    stripes = bytes(part & 0x3F for part in seed) * (SIDE // 32 + 1)
    pixels = b"".join(stripes[y % 32 : y % 32 + SIDE] for y in range(SIDE))
    codes = b"".join(b"\x80" + pixels[start : start + 100] for start in range(0, len(pixels), 100)) + b"\x81"
    blocks = b"".join(bytes([len(codes[at : at + 255])]) + codes[at : at + 255] for at in range(0, len(codes), 255))
    screen = b"GIF89a" + struct.pack("<HHBBB", SIDE, SIDE, 0xF6, 0, 0) + palette
    return screen + b"\x2c" + struct.pack("<HHHHB", 0, 0, SIDE, SIDE, 0) + b"\x07" + blocks + b"\0\x3b"


def webp(seed: bytes) -> bytes:
    """One lossless colour: each code has a single symbol, so that the pixels take no bits at all."""
    bits = _Bits()
    for value, width in ((0x2F, 8), (SIDE - 1, 14), (SIDE - 1, 14), (0, 1), (0, 3), (0, 1), (0, 1), (0, 1)):
        bits.low(value, width)
    for symbol in (seed[1], seed[0], seed[2], 255):  # green, red, blue, alpha
        bits.low(1, 1)  # a simple code
        bits.low(0, 1)  # with one symbol
        bits.low(1, 1)  # of eight bits
        bits.low(symbol, 8)
    for value in (1, 0, 0, 0):  # distances: a simple code with the one-bit symbol 0
        bits.low(value, 1)
    data = bits.little()
    chunk = b"VP8L" + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)
    return b"RIFF" + struct.pack("<I", 4 + len(chunk)) + b"WEBP" + chunk


class _Bits:
    """Collects bits, from the low end (WebP) or the high end (JPEG)."""

    def __init__(self) -> None:
        self._bits: list[int] = []

    def low(self, value: int, width: int) -> None:
        self._bits += [value >> at & 1 for at in range(width)]

    def high(self, value: int, width: int) -> None:
        self._bits += [value >> at & 1 for at in reversed(range(width))]

    def little(self) -> bytes:
        whole = self._bits + [0] * (-len(self._bits) % 8)
        return bytes(sum(bit << at for at, bit in enumerate(whole[n : n + 8])) for n in range(0, len(whole), 8))

    def big(self) -> bytes:
        whole = self._bits + [1] * (-len(self._bits) % 8)
        return bytes(int("".join(map(str, whole[n : n + 8])), 2) for n in range(0, len(whole), 8))


@cache
def _jpeg_head() -> bytes:
    """Quantisation by 8, a grey frame, and codes: twelve sizes of differences, one code that ends a block."""

    def segment(marker: int, data: bytes) -> bytes:
        return struct.pack(">BBH", 0xFF, marker, len(data) + 2) + data

    frame = struct.pack(">BHHB", 8, SIDE, SIDE, 1) + bytes([1, 0x11, 0])
    differences = bytes([0x00]) + bytes([0, 0, 0, 12] + [0] * 12) + bytes(range(12))  # all of four bits
    ends = bytes([0x10]) + bytes([1] + [0] * 15) + bytes([0])  # 0 is the end of a block
    scan = bytes([1, 1, 0x00, 0, 63, 0])
    return (
        b"\xff\xd8"
        + segment(0xE0, b"JFIF\0\x01\x01\0\0\x01\0\x01\0\0")
        + segment(0xDB, bytes([0]) + bytes([8] * 64))
        + segment(0xC0, frame)
        + segment(0xC4, differences)
        + segment(0xC4, ends)
        + segment(0xDA, scan)
    )


def jpeg(seed: bytes) -> bytes:
    """Grey squares: each block of 8 x 8 pixels has its mean and nothing else."""
    bits, before = _Bits(), 0
    for block in range((SIDE // 8) ** 2):
        level = seed[block % 32] - 128
        difference, before = level - before, level
        size = abs(difference).bit_length()
        bits.high(size, 4)  # codes of equal length are the numbers themselves
        bits.high(difference if difference >= 0 else difference + (1 << size) - 1, size)
        bits.high(0, 1)
    return _jpeg_head() + bits.big().replace(b"\xff", b"\xff\0") + b"\xff\xd9"
