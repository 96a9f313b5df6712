"""AVIRIS Indian Pines out of the pip package `tensorly`: a real scene without a download."""

from __future__ import annotations

import numpy as np

from paddle_umsft.errors import DataError

# (145 rows, 145 columns, 200 bands): 220 less the 20 that water vapour leaves dark.
SHAPE = (145, 145, 200)
# Listed wavelengths of two bands that are 48 nm too high, by index: the list goes on in steps of 9.9 nm on both
# sides with room for exactly these two, and the images agree best with their neighbours in the file's order.
MISPRINTS = {170: (2260.22, 2212.22), 171: (2270.15, 2222.15)}
# The list has two decimals; a later edition that puts the misprints right is left as it is.
SAME_NM = 0.01


def read_indian_pines() -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Read the scene as the package has it, water bands removed.

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
        raise DataError(
            "this scene comes with the package tensorly",
            where="Indian Pines",
            hint="pip install tensorly (the extra demo)",
        ) from error
    data = load_indian_pines()
    cube = np.asarray(data["tensor"])
    # Ticks of the three axes; the second list holds the wavelengths.
    wavelengths = np.array(data["ticks"][1], dtype=np.float64)
    if cube.shape != SHAPE or wavelengths.shape != SHAPE[2:]:
        raise DataError(
            "shape",
            where="Indian Pines",
            expected=SHAPE,
            got=cube.shape,
        )
    notes: tuple[str, ...] = ()
    for index, (listed, right) in MISPRINTS.items():
        if abs(wavelengths[index] - listed) < SAME_NM:
            wavelengths[index] = right
            notes += (f"listed wavelength {listed} nm of band {index} is a misprint: taken as {right} nm",)
    return cube, wavelengths, notes
