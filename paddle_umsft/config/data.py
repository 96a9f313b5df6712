"""Configuration sections `data` and `observe`: where a scene comes from and how it is observed."""

from __future__ import annotations

import math
from typing import Any, Literal, Optional, Union

from pydantic import Field, field_validator, model_validator

from paddle_umsft.config.base import Section

DEFAULT_SCALE = 8
LARGEST_SCALE = 1024
DEMO_PATH = "demo://dead_leaves"
INDIAN_PINES_PATH = "tensorly://indian_pines"
BUILT_IN = (DEMO_PATH, INDIAN_PINES_PATH)

# No imager has bands below 50 nm: smaller numbers are micrometres. Nor any above a millimetre.
SHORTEST_NM = 50.0
LONGEST_NM = 1e6

# Half-open ranges [a, b) of bands.
Ranges = list[tuple[int, int]]


class DemoConfig(Section):
    """The scene that the package makes itself (`data.path: demo://dead_leaves`).

    Attributes:
        height: Rows.
        width: Columns.
        bands: Bands, evenly from 400 to 700 nm.
        seed: Another seed is another scene.
    """

    height: int = Field(default=128, ge=8, le=4096)
    width: int = Field(default=128, ge=8, le=4096)
    bands: int = Field(default=31, ge=1, le=512)
    seed: int = Field(default=0, ge=0, lt=2**32)


class DataConfig(Section):
    """Where the scene, or the pair of images, comes from.

    Attributes:
        path: A file (.mat, .npy, .npz, ENVI .hdr, .tif), a CAVE folder, a folder of many scenes,
            `demo://dead_leaves` or `tensorly://indian_pines`. For a simulation.
        key: Name of the array in a .mat or .npz; None: the only one with three axes.
        layout: "hwc" (rows, columns, bands), "chw" (bands, rows, columns) or "auto".
        normalise: What the values are divided by: "max" (of the crop), "dtype" (largest number of the integer
            type), "none" or a number.
        crop: [top, left, height, width] in HR pixels, cut before the normalisation.
        wavelengths_nm: [first, last] (evenly spaced) or one number per band; None: from the file if it has them.
        lr_hsi: LR-HSI file of a pair made elsewhere; then `path` is not used and there is no truth. Or a folder.
        hr_msi: HR-MSI file of the pair (also .png, .jpg); may be the same file. Two folders with the same names, or
            one folder of a_hsi.tif, a_msi.tif ... are as many pairs. Either of the two may be a satellite product's
            folder, or files of one band each: a list, a pattern with `*`, or their folder.
        lr_key: As `key`, for `lr_hsi`.
        hr_key: As `key`, for `hr_msi`.
        lr_layout: As `layout`, for `lr_hsi` alone.
        hr_layout: As `layout`, for `hr_msi` alone.
        lr_normalise: As `normalise`, for `lr_hsi` alone.
        hr_normalise: As `normalise`, for `hr_msi` alone.
        coordinates: "auto": the two files of a pair lie on each other as their coordinates say; "none": coordinates
            are set aside, and both images show the same ground.
        bad_bands: "auto": bands that the file's own list (`bbl`) calls bad, or that are dead, are left out; "none": all
            are kept; or a list of bands (from 0) and half-open ranges [a, b) that are left out.
        detector: Of two spectrometers that overlap (EnMAP, PRISMA) whose bands stay there: "both", sorted by
            wavelength; "vnir", those of the one at shorter wavelengths; or "swir".
        no_data: "auto": pixels without data by the file's mask, its no-data value, NaN, or zeros along the edge are
            masked; "none": they are values like others; or the number that means "no data".
        mask_hsi: File (.npy, .npz, .mat, .tif, .png ...) of one number a pixel of the HSI, or of the scene that `path`
            names (before `crop`): whatever is not zero is valid; None: all of them are.
        mask_msi: The same for the HR-MSI of a pair.
        demo: The made-up scene.
    """

    path: Optional[str] = None
    key: Optional[str] = None
    layout: Literal["auto", "hwc", "chw"] = "auto"
    normalise: Union[Literal["max", "dtype", "none"], float] = "max"
    crop: Optional[list[int]] = None
    wavelengths_nm: Optional[list[float]] = None
    lr_hsi: Optional[Union[str, list[str]]] = None
    hr_msi: Optional[Union[str, list[str]]] = None
    lr_key: Optional[str] = None
    hr_key: Optional[str] = None
    lr_layout: Optional[Literal["auto", "hwc", "chw"]] = None
    hr_layout: Optional[Literal["auto", "hwc", "chw"]] = None
    lr_normalise: Optional[Union[Literal["max", "dtype", "none"], float]] = None
    hr_normalise: Optional[Union[Literal["max", "dtype", "none"], float]] = None
    coordinates: Literal["auto", "none"] = "auto"
    bad_bands: Union[Literal["auto", "none"], list[Union[int, tuple[int, int]]]] = "auto"
    detector: Literal["both", "vnir", "swir"] = "both"
    no_data: Union[Literal["auto", "none"], float] = "auto"
    mask_hsi: Optional[str] = None
    mask_msi: Optional[str] = None
    demo: DemoConfig = Field(default_factory=DemoConfig)

    @property
    def is_pair(self) -> bool:
        """Return whether a given pair is to be read instead of a scene."""
        return self.lr_hsi is not None

    @property
    def window(self) -> Optional[tuple[int, int, int, int]]:
        """Return the crop as top, left, height and width, or None."""
        if self.crop is None:
            return None
        top, left, height, width = self.crop
        return top, left, height, width

    @field_validator("normalise", mode="before")
    @classmethod
    def _positive_divisor(cls, value: Any) -> Any:
        # YAML reads a bare `none` as text but `null` as None; both mean "leave the values as they are".
        if value is None:
            return "none"
        # Python counts True as a number.
        if isinstance(value, bool):
            raise ValueError("must be max, dtype, none or a number > 0")
        if isinstance(value, (int, float)):
            # Written so that not a number is refused.
            is_usable = 0 < value < math.inf
            if not is_usable:
                raise ValueError("as a number must be finite and > 0")
        return value

    @field_validator("lr_normalise", "hr_normalise", mode="before")
    @classmethod
    def _positive_divisor_of_one(cls, value: Any) -> Any:
        # None stands for "as the other setting says" here, not for the word.
        if value is None:
            return None
        return cls._positive_divisor(value)

    @field_validator("bad_bands", "no_data", "coordinates", mode="before")
    @classmethod
    def _none_is_a_word(cls, value: Any) -> Any:
        # YAML reads `null` as None; here, too, it means "leave everything as it is".
        if value is None:
            return "none"
        return value

    @field_validator("crop")
    @classmethod
    def _valid_crop(cls, value: Optional[list[int]]) -> Optional[list[int]]:
        if value is None:
            return None
        if len(value) != 4:
            raise ValueError("must be [top, left, height, width]")
        top, left, height, width = value
        if min(top, left) < 0 or min(height, width) < 1:
            raise ValueError("must have top, left >= 0 and height, width >= 1")
        return value

    @field_validator("wavelengths_nm")
    @classmethod
    def _valid_wavelengths(cls, value: Optional[list[float]]) -> Optional[list[float]]:
        if value is None:
            return None
        if len(value) < 2:
            raise ValueError("must be [first, last] or one number per band")
        # Written so that not a number is refused.
        if not all(0 < nm < LONGEST_NM for nm in value):
            raise ValueError("must be positive, in nanometres")
        if max(value) < SHORTEST_NM:
            raise ValueError("must be in nanometres; these look like micrometres")
        if len(set(value)) < len(value):
            raise ValueError("must not have one wavelength twice")
        return value

    @model_validator(mode="after")
    def _whole_pair(self) -> DataConfig:
        is_lone = (self.lr_hsi is None) != (self.hr_msi is None)
        if is_lone:
            raise ValueError("lr_hsi and hr_msi belong together: give both or neither")
        if self.mask_msi is not None and self.hr_msi is None:
            raise ValueError("mask_msi goes with hr_msi; what is valid of a scene says mask_hsi")
        return self


class PsfConfig(Section):
    """The point spread function of a simulation, or the known one of a given pair.

    Attributes:
        type: reference (the published code's Gaussian), gaussian (centred), box, motion or file; the names are in
            `TYPES` of `cameras/psf.py`, and a run checks it at its start.
        size: Taps along each side, HR pixels; None: by the type and the scale (see `build_psf`).
        sigma: Standard deviation, HR pixels; for motion, across the track. None: by type and scale.
        angle_deg: Direction of a motion PSF, from "to the right" downwards.
        path: File of a `file` PSF.
        key: Name of the array in that file, if it has several.
    """

    type: str = Field(default="reference", min_length=1)
    size: Optional[int] = Field(default=None, ge=1, le=1024)
    sigma: Optional[float] = Field(default=None, gt=0, le=1e4)
    angle_deg: float = Field(default=45.0, ge=-360, le=360)
    path: Optional[str] = None
    key: Optional[str] = None

    @model_validator(mode="after")
    def _file_needs_path(self) -> PsfConfig:
        if self.type == "file" and not self.path:
            raise ValueError("type: file needs a path")
        return self


class ObserveConfig(Section):
    """How the two cameras see the scene.

    Attributes:
        scale: Ratio of the resolutions, whole in a simulation; a given pair may have any above 1, and other sizes then.
            None: 8 in a simulation, by the sizes with a given pair.
        origin: [row, column] of the MSI, in its pixels, at which the outer corner of the HSI lies; None: at its corner.
        psf: Section `observe.psf`.
        border: What LR pixels see beyond the scene in a simulation: "wrap", its other side (published figures);
            "reflect", the scene mirrored; "valid", nothing: the scene is cut so that every LR pixel is whole, and
            what lies beyond the cut is real.
        srf: A camera by name (nikon_d700, sentinel2a, landsat8, uniform ...: `CAMERAS` of `cameras/srf.py`), or a file
            (.npy, .npz, .mat; .csv or .txt with wavelengths, or with centre and width of each band).
        srf_key: Name of the array in an SRF file, if it has several.
        bands: The camera's bands by name; None: its usual ones (of Sentinel-2, B2, B3, B4, B8, B11, B12), as far as
            the scene reaches.
        msi_bands: Number of MSI bands of a uniform SRF.
        supports: Per MSI band the half-open range [a, b) of HSI bands it may see; None: by the SRF.
        snr_hsi_db: Noise of the LR-HSI, dB; None: none.
        snr_msi_db: Noise of the HR-MSI, dB; None: none.
        known_psf: Tell the method the PSF (non-blind).
        known_srf: Tell the method the SRF (non-blind). With a given pair it relates the values in the two files
            (normalise: max rescales it with them), its bands in the order of the HSI's file.
    """

    scale: Optional[Union[int, float]] = None
    origin: Optional[tuple[float, float]] = None
    psf: PsfConfig = Field(default_factory=PsfConfig)
    border: Literal["wrap", "reflect", "valid"] = "wrap"
    srf: str = Field(default="nikon_d700", min_length=1)
    srf_key: Optional[str] = None
    bands: Optional[list[str]] = None
    msi_bands: int = Field(default=4, ge=1, le=512)
    supports: Optional[Ranges] = None
    snr_hsi_db: Optional[float] = Field(default=None, ge=-20, le=200)
    snr_msi_db: Optional[float] = Field(default=None, ge=-20, le=200)
    known_psf: bool = False
    known_srf: bool = False

    @field_validator("scale", mode="before")
    @classmethod
    def _ratio_above_one(cls, value: Any) -> Any:
        if value is None:
            return None
        # Python counts True as a number.
        if isinstance(value, bool):
            raise ValueError("must be a number, not a truth value")
        try:
            ratio = float(value)
        except (TypeError, ValueError):
            raise ValueError("must be a number") from None
        # Written so that not a number is refused.
        is_usable = 1 < ratio <= LARGEST_SCALE
        if not is_usable:
            raise ValueError(f"must be above 1, {LARGEST_SCALE} at most")
        if ratio.is_integer():
            return int(ratio)
        return ratio

    @field_validator("origin")
    @classmethod
    def _finite_origin(cls, value: Optional[tuple[float, float]]) -> Optional[tuple[float, float]]:
        if value is not None and not all(math.isfinite(place) for place in value):
            raise ValueError("must be finite")
        return value

    @model_validator(mode="after")
    def _origin_needs_scale(self) -> ObserveConfig:
        if self.origin is not None and self.scale is None:
            raise ValueError("origin needs a scale: the sizes do not tell it")
        return self

    @field_validator("bands")
    @classmethod
    def _some_bands(cls, value: Optional[list[str]]) -> Optional[list[str]]:
        if value is None:
            return None
        has_twins = len(set(value)) < len(value)
        if not value or has_twins:
            raise ValueError("must name at least one band, each once")
        return value

    @field_validator("supports")
    @classmethod
    def _valid_supports(cls, value: Optional[Ranges]) -> Optional[Ranges]:
        if value is None:
            return None
        if not value:
            raise ValueError("must have one range [a, b) per MSI band")
        # Whether they fit the scene is known only where its bands are.
        for start, stop in value:
            if start < 0 or stop <= start:
                raise ValueError(f"must be ranges [a, b) with 0 <= a < b, not [{start}, {stop})")
        return value
