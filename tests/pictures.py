"""Pictures of every kind, made by code: those that are stored, and those that must not be."""

import json
import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

from PIL import ExifTags, Image, ImageCms

from tds_core.sync.images import LIMIT_BYTES

RED, GREEN, BLUE, CLEAR = (200, 20, 20), (20, 160, 20), (20, 20, 200), (0, 0, 0, 0)
HTML = b"<!DOCTYPE html><html><body><h1>We are down for maintenance</h1></body></html>"
ERROR = json.dumps({"code": 57, "message": "You are not authorized to perform this operation"}).encode()


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    """An image as a file."""
    file = BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def halves(mode: str = "RGB", *, size: tuple[int, int] = (60, 40)) -> Image.Image:
    """Red on the left, blue on the right; the right half is clear where the mode knows that."""
    image = Image.new("RGBA", size, RED)
    image.paste(BLUE if mode in ("RGB", "CMYK", "L") else CLEAR, (size[0] // 2, 0, *size))
    return image.convert(mode)


def frames() -> list[Image.Image]:
    return [Image.new("RGB", (40, 40), colour) for colour in (RED, GREEN, BLUE)]


def palette_with_transparency() -> bytes:
    return encoded(halves("RGBA").quantize(8), "PNG")


def rotated() -> bytes:
    """A camera that was held upright: lying pixels, and a note to turn them."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = 6
    exif[ExifTags.Base.Make] = "SECRET CAMERA"
    exif.get_ifd(ExifTags.IFD.GPSInfo)[1] = "N"
    return encoded(halves(), "JPEG", exif=exif, comment=b"SECRET COMMENT", quality=95)


def deep_grey() -> bytes:
    """16 bits of grey at three quarters of white."""
    return encoded(Image.new("I;16", (30, 30), 3 * 2**14), "PNG")


def with_profile(profile: bytes) -> bytes:
    return encoded(halves(), "JPEG", icc_profile=profile, quality=95)


def chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))


def png(width: int, height: int, *chunks: bytes) -> bytes:
    """A PNG that claims this size, whatever is in it."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(chunks) + chunk(b"IEND", b"")


def gif(width: int, height: int) -> bytes:
    """A GIF that claims this size with a few bytes of pixels."""
    screen = b"GIF89a" + struct.pack("<HHBBB", width, height, 0x80, 0, 0) + bytes(6)
    return screen + b"\x2c" + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x44\x01\x00\x3b"


def noise(size: tuple[int, int]) -> Image.Image:
    return Image.merge("RGB", [Image.effect_noise(size, 60)] * 3)


def cut(body: bytes) -> bytes:
    return body[: len(body) * 2 // 3]


# what is stored, with the size that it is stored in
TAKEN: dict[str, tuple[Callable[[], bytes], tuple[int, int]]] = {
    "jpeg": (lambda: encoded(halves(), "JPEG"), (60, 40)),
    "progressive jpeg": (lambda: encoded(halves(), "JPEG", progressive=True), (60, 40)),
    "grey jpeg": (lambda: encoded(halves("L"), "JPEG"), (60, 40)),
    "cmyk jpeg": (lambda: encoded(halves("CMYK"), "JPEG", quality=95), (60, 40)),
    "jpeg turned by its exif": (rotated, (40, 60)),
    "jpeg with a broken exif": (lambda: encoded(halves(), "JPEG", exif=b"Exif\0\0MM\0*\xff\xff\xff\xff" * 9), (60, 40)),
    "jpeg with a profile": (
        lambda: with_profile(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()),
        (60, 40),
    ),
    "jpeg with a broken profile": (lambda: with_profile(b"no profile" * 40), (60, 40)),
    "jpeg with a script behind it": (lambda: encoded(halves(), "JPEG") + b"<script>alert(1)</script>", (60, 40)),
    "png": (lambda: encoded(halves(), "PNG"), (60, 40)),
    "png with alpha": (lambda: encoded(halves("RGBA"), "PNG"), (60, 40)),
    "png of grey with alpha": (lambda: encoded(halves("LA"), "PNG"), (60, 40)),
    "png with a palette and a transparent colour": (palette_with_transparency, (60, 40)),
    "png with one transparent colour": (lambda: encoded(halves(), "PNG", transparency=BLUE), (60, 40)),
    "png of one bit": (lambda: encoded(halves("1"), "PNG"), (60, 40)),
    "png of 16 bits": (deep_grey, (30, 30)),
    "animated png": (
        lambda: encoded(frames()[0], "PNG", save_all=True, append_images=frames()[1:], duration=100),
        (40, 40),
    ),
    "gif": (lambda: encoded(halves("P"), "GIF"), (60, 40)),
    "animated gif": (
        lambda: encoded(frames()[0], "GIF", save_all=True, append_images=frames()[1:], duration=100),
        (40, 40),
    ),
    "webp": (lambda: encoded(halves(), "WEBP"), (60, 40)),
    "webp with alpha": (lambda: encoded(halves("RGBA"), "WEBP", lossless=True), (60, 40)),
    "animated webp": (
        lambda: encoded(frames()[0], "WEBP", save_all=True, append_images=frames()[1:], duration=100),
        (40, 40),
    ),
    "one pixel": (lambda: encoded(Image.new("RGB", (1, 1), RED), "PNG"), (1, 1)),
    "a very long one": (lambda: encoded(Image.new("RGB", (5_000, 3), RED), "PNG"), (1_600, 1)),
    "a large one": (lambda: encoded(halves(size=(4_000, 3_000)), "JPEG"), (1_600, 1_200)),
    "another format than its name says": (lambda: encoded(halves(), "WEBP", quality=80), (60, 40)),
}

# what is refused, with words of the reason
REFUSED: dict[str, tuple[Callable[[], bytes], str]] = {
    "nothing": (lambda: b"", "empty"),
    "json": (lambda: ERROR, "no JPEG"),
    "html": (lambda: HTML, "no JPEG"),
    "too many bytes": (lambda: b"\xff\xd8\xff" + bytes(LIMIT_BYTES), "more than"),
    "random bytes": (lambda: bytes(range(256)) * 4, "no JPEG"),
    "svg with a script": (
        lambda: b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        "no JPEG",
    ),
    "pdf": (lambda: b"%PDF-1.7\n1 0 obj\n", "no JPEG"),
    "zip": (lambda: b"PK\x03\x04" + bytes(100), "no JPEG"),
    "tiff": (lambda: encoded(halves(), "TIFF"), "no JPEG"),
    "bmp": (lambda: encoded(halves(), "BMP"), "no JPEG"),
    "icon": (lambda: encoded(halves(), "ICO"), "no JPEG"),
    "avif": (lambda: encoded(halves(), "AVIF"), "no JPEG"),
    "first bytes of a jpeg": (lambda: b"\xff\xd8\xff\xe0", "JPEG that cannot be decoded"),
    "html behind a jpeg's first bytes": (lambda: b"\xff\xd8\xff" + HTML * 20, "JPEG that cannot be decoded"),
    "truncated jpeg": (lambda: cut(encoded(noise((300, 300)), "JPEG")), "JPEG that cannot be decoded"),
    "truncated progressive jpeg": (
        lambda: cut(encoded(noise((300, 300)), "JPEG", progressive=True)),
        "JPEG that cannot be decoded",
    ),
    "truncated png": (lambda: cut(encoded(noise((300, 300)), "PNG")), "PNG that cannot be decoded"),
    "truncated gif": (lambda: cut(encoded(noise((300, 300)), "GIF")), "GIF that cannot be decoded"),
    "truncated webp": (lambda: cut(encoded(noise((300, 300)), "WEBP")), "WEBP that cannot be decoded"),
    "png with a wrong checksum": (
        lambda: encoded(halves(), "PNG").replace(b"IHDR\0\0\0\x3c", b"IHDR\0\0\0\x3d"),
        "PNG that cannot be decoded",
    ),
    "png of no size": (lambda: png(0, 0), "PNG that cannot be decoded"),
    "png without pixels": (lambda: png(10, 10), "PNG that cannot be decoded"),
    "png that is a bomb": (
        lambda: png(30_000, 30_000, chunk(b"IDAT", zlib.compress(bytes(2**20)))),
        "PNG that cannot be decoded",
    ),
    "png somewhat too large": (lambda: png(7_000, 6_000, chunk(b"IDAT", zlib.compress(bytes(99)))), "pixels"),
    "png with a text that is a bomb": (
        lambda: png(1, 1, chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(80 * 2**20)))),
        "PNG that cannot be decoded",
    ),
    "gif that is a bomb": (lambda: gif(65_535, 65_535), "GIF that cannot be decoded"),
    "gif somewhat too large": (lambda: gif(8_000, 8_000), "pixels"),
    "webp that is none": (lambda: b"RIFF\x24\0\0\0WEBPVP8 " + bytes(24), "WEBP that cannot be decoded"),
}


def swapped_profile() -> bytes:
    """A profile in which red is what others call blue."""
    body = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    return body.replace(b"rXYZ", b"tmp0", 1).replace(b"bXYZ", b"rXYZ", 1).replace(b"tmp0", b"bXYZ", 1)
