"""Whatever a stranger sends becomes a plain JPEG, or is refused with its reason."""

from io import BytesIO

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tds_core.errors import InvalidImage
from tds_core.sync.images import LONGEST_SIDE, THUMBNAIL_SIDE, placeholder, render
from tests import pictures
from tests.pictures import REFUSED, TAKEN

CLOSE = 24  # a JPEG's colours are near


def opened(body: bytes) -> Image.Image:
    """A whole JPEG in plain colours with nothing but pixels in it."""
    image = Image.open(BytesIO(body), formats=["JPEG"])
    image.load()
    assert image.mode == "RGB"
    assert not image.getexif() and not {"icc_profile", "exif", "comment", "photoshop"} & image.info.keys()
    return image


def assert_colour(image: Image.Image, at: tuple[int, int], colour: tuple[int, int, int]) -> None:
    found = image.getpixel(at)
    assert isinstance(found, tuple)
    assert all(abs(have - want) <= CLOSE for have, want in zip(found, colour, strict=True)), (found, colour)


@pytest.mark.parametrize("kind", TAKEN)
def test_a_picture_is_stored_as_a_plain_jpeg_with_a_thumbnail(kind: str) -> None:
    make, size = TAKEN[kind]
    picture = render(make())
    image, thumbnail = opened(picture.jpeg), opened(picture.thumbnail)
    assert (image.size, (picture.width, picture.height)) == (size, size)
    assert max(image.size) <= LONGEST_SIDE
    assert max(thumbnail.size) <= THUMBNAIL_SIDE
    assert b"SECRET" not in picture.jpeg + picture.thumbnail and b"script" not in picture.jpeg


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_no_picture_is_refused_with_its_reason(kind: str) -> None:
    make, reason = REFUSED[kind]
    with pytest.raises(InvalidImage, match=reason):
        render(make())


@pytest.mark.parametrize(
    "kind",
    [
        "png with alpha",
        "png with a palette and a transparent colour",
        "png with one transparent colour",
        "webp with alpha",
    ],
)
def test_what_is_transparent_is_white(kind: str) -> None:
    image = opened(render(TAKEN[kind][0]()).jpeg)
    assert_colour(image, (10, 20), pictures.RED)
    assert_colour(image, (50, 20), (255, 255, 255))


def test_a_turned_picture_stands_upright() -> None:
    image = opened(render(pictures.rotated()).jpeg)
    assert_colour(image, (20, 10), pictures.RED)
    assert_colour(image, (20, 50), pictures.BLUE)


@pytest.mark.parametrize(
    "kind", ["jpeg", "cmyk jpeg", "jpeg with a profile", "jpeg with a broken profile", "png", "webp"]
)
def test_colours_stay_what_they_are(kind: str) -> None:
    image = opened(render(TAKEN[kind][0]()).jpeg)
    assert_colour(image, (10, 20), pictures.RED)
    assert_colour(image, (50, 20), pictures.BLUE)


@pytest.mark.parametrize("kind", ["animated gif", "animated png", "animated webp"])
def test_of_an_animation_the_first_picture_is_stored(kind: str) -> None:
    assert_colour(opened(render(TAKEN[kind][0]()).jpeg), (20, 20), pictures.RED)


def test_sixteen_bits_of_grey_are_not_cut_to_white() -> None:
    assert_colour(opened(render(pictures.deep_grey()).jpeg), (15, 15), (192, 192, 192))


def test_colours_of_a_wide_profile_are_brought_to_srgb() -> None:
    swapped = pictures.swapped_profile()
    assert_colour(opened(render(pictures.with_profile(swapped)).jpeg), (10, 20), (20, 20, 200))


@pytest.mark.parametrize(("kind", "source"), [("jpeg", "jpeg"), ("png", "png"), ("gif", "gif"), ("webp", "webp")])
def test_the_type_of_the_source_is_told_by_its_bytes(kind: str, source: str) -> None:
    assert render(TAKEN[kind][0]()).source_type == f"image/{source}"


@given(st.sampled_from(sorted(TAKEN)[:9]), st.data())
def test_bytes_that_were_changed_anywhere_are_a_picture_or_refused(kind: str, data: st.DataObject) -> None:
    body = bytearray(TAKEN[kind][0]())
    for _ in range(data.draw(st.integers(1, 8))):
        body[data.draw(st.integers(0, len(body) - 1))] = data.draw(st.integers(0, 255))
    try:
        picture = render(bytes(body))
    except InvalidImage:
        return
    assert opened(picture.jpeg).size == (picture.width, picture.height)


def test_the_placeholder_is_a_picture() -> None:
    assert opened(placeholder()).size == (THUMBNAIL_SIDE, THUMBNAIL_SIDE)
