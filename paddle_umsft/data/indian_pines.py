"""AVIRIS Indian Pines out of the pip package `tensorly`: a real scene without a download."""

from __future__ import annotations

import numpy as np

from paddle_umsft.errors import DataError

# Listed wavelengths of two bands that are 48 nm too high, by index: the list goes on in steps of 9.9 nm on both
# sides with room for exactly these two, and the images agree best with their neighbours in the file's order.
_MISPRINTS = {170: (2260.22, 2212.22), 171: (2270.15, 2222.15)}


def read_indian_pines() -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Reads the scene as the package has it, water bands removed.

    The list of wavelengths is out of order at three places. Twice, two spectrometers of the instrument overlap
    (at 690 and at 1280 nm): these bands are to be sorted by the caller. At the third, two numbers are
    misprinted by 48 nm; they are put right here, since sorting by them would move two bands to a wrong place.

    Returns:
        (145, 145, 200) raw values, (200,) wavelengths in nm in the file's order, and notes.

    Raises:
        DataError: The package is not installed, or carries other data.

    References:
        Baumgardner, Biehl, Landgrebe: 220 Band AVIRIS Hyperspectral Image Data Set: June 12, 1992 Indian Pine
        Test Site 3. Purdue University Research Repository, doi:10.4231/R7RX991C (CC BY 3.0).
    """
    try:
        from tensorly.datasets import load_indian_pines
    except ImportError as error:
        hint = "pip install tensorly"
        raise DataError("this scene comes with the package tensorly", where="Indian Pines", hint=hint) from error
    data = load_indian_pines()
    cube = np.asarray(data["tensor"])
    wavelengths = np.array(data["ticks"][1], dtype=np.float64)
    if cube.shape != (145, 145, 200) or wavelengths.shape != (200,):
        raise DataError("shape", where="Indian Pines", expected="(145, 145, 200)", got=cube.shape)
    notes: tuple[str, ...] = ()
    for index, (listed, right) in _MISPRINTS.items():
        if abs(wavelengths[index] - listed) < 0.01:
            wavelengths[index] = right
            notes += (f"listed wavelength {listed} nm of band {index} is a misprint: taken as {right} nm",)
    return cube, wavelengths, notes
