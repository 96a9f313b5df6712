"""Which families of PSFs a fit tries, and from where: a few points, so that none ends in a local optimum far off."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from paddle_umsft.cameras.psf_shapes import Shape, box, gaussian, motion, round_gaussian

# Standard deviations of a Gaussian, in LR pixels: sharper than the sampling asks for, and as soft as cameras get.
GAUSSIAN_WIDTHS = (0.3, 0.8)
# The oblique Gaussian starts a little longer than wide (logarithm of the ratio to the round one), at two angles.
ELONGATION = 0.15
OBLIQUE_ANGLES = (0.0, 0.8)
# Boxes of about half an LR pixel and about one; off the grid, where the gradient of a box's edges vanishes.
BOX_LENGTHS = (0.55, 0.93)
BOX_CENTRE = 0.05
# A track of more than half an LR pixel in four directions, radians; its softness grows with the window.
MOTION_LENGTH = 0.6
MOTION_ANGLES = (0.4, 1.2, 2.0, 2.8)
SOFTNESS = 0.6
SOFTNESS_PER_TAP = 0.04


@dataclass(frozen=True)
class Family:
    """A family of PSFs and where a fit of it starts.

    Attributes:
        name: What it is called in results.
        shape: Parameters and length of the window to a kernel.
        starts: Parameters.
    """

    name: str
    shape: Shape
    starts: list[np.ndarray]


def simplest_family(scale: int) -> Family:
    """Return the round Gaussian: three parameters, and what most cameras have."""
    starts = []
    for width in GAUSSIAN_WIDTHS:
        starts.append(np.array([0.0, 0.0, np.log(scale * width)]))
    return Family(name="gaussian", shape=round_gaussian, starts=starts)


def other_families(scale: int, size: int) -> list[Family]:
    """Return the families to be tried where no round Gaussian is exact, on a window of `size` taps."""
    log_width = np.log(scale * GAUSSIAN_WIDTHS[0])
    oblique = []
    for angle in OBLIQUE_ANGLES:
        oblique.append(np.array([0.0, 0.0, log_width + ELONGATION, log_width - ELONGATION, angle]))
    boxes = []
    for length in BOX_LENGTHS:
        log_length = np.log(length * scale)
        boxes.append(np.array([BOX_CENTRE, BOX_CENTRE, log_length, log_length]))
    log_track = np.log(MOTION_LENGTH * scale)
    log_soft = np.log(SOFTNESS + SOFTNESS_PER_TAP * size)
    tracks = []
    for angle in MOTION_ANGLES:
        tracks.append(np.array([0.0, 0.0, log_track, angle, log_soft]))
    return [
        Family(name="gaussian-oblique", shape=gaussian, starts=oblique),
        Family(name="box", shape=box, starts=boxes),
        Family(name="motion", shape=motion, starts=tracks),
    ]
