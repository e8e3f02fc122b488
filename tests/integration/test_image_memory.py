"""What a large photograph costs the function, in a process of its own."""

import pytest

from tests.benchmarks.images import peak_mb


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photograph_of_twelve_megapixels_needs_less_than_512_mb(kind: str) -> None:
    memory = peak_mb(kind)
    assert memory["started"] + 12 < memory["peak"] < 512, "its pixels alone are more than a byte each"
