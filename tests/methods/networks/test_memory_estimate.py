"""What UMSFT's training is expected to take, against peaks that benchmarks/speed.py measured (docs/performance.md)."""

from __future__ import annotations

import pytest

from paddle_umsft.methods.networks.runtime import estimated_memory_mb

# Size, bands, MSI bands, bf16, peak of the process in MB.
PEAKS = [
    (128, 31, 3, False, 977),
    (256, 31, 3, False, 1857),
    (512, 31, 3, False, 5198),
    (128, 128, 4, False, 1226),
    (128, 31, 3, True, 898),
    (256, 31, 3, True, 1704),
    (512, 31, 3, True, 4848),
]


@pytest.mark.parametrize(("size", "bands", "msi_bands", "bf16", "peak"), PEAKS)
def test_near_what_was_measured(size: int, bands: int, msi_bands: int, bf16: bool, peak: float) -> None:
    expected = estimated_memory_mb(size, size, bands, msi_bands, bf16=bf16)
    assert 0.95 * peak <= expected <= 1.15 * peak
    assert expected < estimated_memory_mb(size, size, bands, msi_bands, double=True)
