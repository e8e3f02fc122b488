"""Turn whatever was downloaded into a JPEG and a thumbnail, or say why not; the only module that knows Pillow.

The bytes are a stranger's. What they claim to be is read from their first bytes, their size is checked before a pixel
is decoded, all of it is decoded, and only pixels go on: no EXIF, profile, comment or trailing data is ever served.
"""

import hashlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from PIL import Image, ImageCms, ImageDraw, ImageOps

from tds_core.errors import InvalidImage

LIMIT_BYTES = 20 * 1024 * 1024
LIMIT_PIXELS = 40_000_000
LONGEST_SIDE, THUMBNAIL_SIDE = 1_600, 320
_QUALITY = 85
_WHITE, _GREY, _LIGHT = (255, 255, 255), (222, 222, 222), (244, 244, 244)
_BEGINNINGS = {b"\xff\xd8\xff": "JPEG", b"\x89PNG\r\n\x1a\n": "PNG", b"GIF87a": "GIF", b"GIF89a": "GIF"}
_WEBP = slice(8, 12)
_DEEP = 256  # Pillow decodes 16 bits of grey as they are
_TYPES: Mapping[str, str] = {"JPEG": "image/jpeg", "PNG": "image/png", "GIF": "image/gif", "WEBP": "image/webp"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture as it is served; `width` and `height` are those of `jpeg`."""

    source_type: str
    width: int
    height: int
    jpeg: bytes
    thumbnail: bytes


def digest(body: bytes) -> str:
    """Tells one file from another."""
    return hashlib.sha256(body).hexdigest()


def render(body: bytes) -> Picture:
    """A JPEG of at most 1,600 pixels and a thumbnail of at most 320: upright, on white, without metadata.

    Of an animation it is the first picture. Raises InvalidImage for whatever is no whole JPEG, PNG, GIF or WebP of
    bounded size.
    """
    kind = _kind(body)
    try:
        with Image.open(BytesIO(body), formats=[kind]) as opened:
            _check_size(opened)
            pixels = _pixels(opened)
        return Picture(
            source_type=_TYPES[kind],
            width=pixels.width,
            height=pixels.height,
            jpeg=_jpeg(pixels),
            thumbnail=_jpeg(_scaled(pixels.copy(), THUMBNAIL_SIDE)),
        )
    except InvalidImage:
        raise
    except Exception as exc:  # decoders fail in any way on a stranger's bytes, and each means the same
        raise InvalidImage(f"a {kind} that cannot be decoded: {type(exc).__name__}") from exc


def placeholder() -> bytes:
    """The picture that is served where there is none: an empty frame."""
    side = THUMBNAIL_SIDE
    canvas = Image.new("RGB", (side, side), _LIGHT)
    pen = ImageDraw.Draw(canvas)
    pen.rectangle((60, 80, 260, 240), outline=_GREY, width=8)
    pen.ellipse((95, 110, 135, 150), fill=_GREY)
    pen.polygon(((75, 225), (150, 150), (185, 190), (210, 165), (245, 225)), fill=_GREY)
    return _jpeg(canvas)


def _kind(body: bytes) -> str:
    """The format that the first bytes claim; what a server or a file's name says counts for nothing."""
    if not body:
        raise InvalidImage("an empty file")
    if len(body) > LIMIT_BYTES:
        raise InvalidImage(f"a file of more than {LIMIT_BYTES} bytes")
    if body[:4] == b"RIFF" and body[_WEBP] == b"WEBP":
        return "WEBP"
    for beginning, kind in _BEGINNINGS.items():
        if body.startswith(beginning):
            return kind
    raise InvalidImage("a file that is no JPEG, PNG, GIF or WebP")


def _check_size(image: Image.Image) -> None:
    if image.width * image.height > LIMIT_PIXELS:
        raise InvalidImage(f"{image.width} x {image.height} pixels, more than {LIMIT_PIXELS}")


def _pixels(image: Image.Image) -> Image.Image:
    """Every pixel decoded, upright, scaled down, in sRGB and on white."""
    image.draft(image.mode, (LONGEST_SIDE, LONGEST_SIDE))  # a JPEG is decoded at the size that is needed
    image.load()
    profile = image.info.get("icc_profile")
    upright = _scaled(_in_eight_bits(_upright(image)), LONGEST_SIDE)
    flat = Image.new("RGB", upright.size, _WHITE)
    mask = upright.getchannel("A") if "A" in upright.getbands() else None
    flat.paste(_in_srgb(upright, profile), mask=mask)
    return flat


def _upright(image: Image.Image) -> Image.Image:
    """Turned as its EXIF says; a broken note about the camera is no broken picture."""
    try:
        return ImageOps.exif_transpose(image)
    except Exception:  # the same decoders of a stranger's bytes
        return image


def _in_eight_bits(image: Image.Image) -> Image.Image:
    """One of the modes that can be scaled: grey, RGB, RGBA or CMYK."""
    if image.mode.startswith("I"):
        return image.convert("I").point(lambda value: value * (1 / _DEEP)).convert("L")
    if image.has_transparency_data:
        return image.convert("RGBA")
    return image if image.mode in ("L", "RGB", "CMYK") else image.convert("RGB")


def _in_srgb(image: Image.Image, profile: Any) -> Image.Image:
    """The colours as they were meant: a printer's or a wide profile is not dropped but applied."""
    colours = image.convert("RGB") if image.mode in ("RGBA", "L") else image
    if profile and image.mode != "L":
        with suppress(ImageCms.PyCMSError, OSError, ValueError, TypeError):  # a broken profile is no broken picture
            source = ImageCms.ImageCmsProfile(BytesIO(profile))
            shown = ImageCms.profileToProfile(colours, source, ImageCms.createProfile("sRGB"), outputMode="RGB")
            if shown is not None:
                return shown
    return colours.convert("RGB")


def _scaled(image: Image.Image, longest: int) -> Image.Image:
    image.thumbnail((longest, longest), Image.Resampling.LANCZOS, reducing_gap=2.0)
    return image


def _jpeg(image: Image.Image) -> bytes:
    file = BytesIO()
    image.save(file, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    return file.getvalue()
