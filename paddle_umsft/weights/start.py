"""Weights to start a model from: a published checkpoint, or what a run here saved."""

from __future__ import annotations

from pathlib import Path
from typing import Union

import numpy as np

from paddle_umsft.errors import ConversionError
from paddle_umsft.weights.check import checked_networks
from paddle_umsft.weights.formats.reader import read_weights
from paddle_umsft.weights.mapping import Arrays, published_to_ours, query_start
from paddle_umsft.weights.names import SRF_PREFIX
from paddle_umsft.weights.recognise import recognise
from paddle_umsft.weights.report import Report
from paddle_umsft.weights.shapes_uhntc import uhntc_sizes


def load_start(path: Union[str, Path]) -> Arrays:
    """Reads the network, its learned SRF and its PSF, as far as a file holds them.

    Args:
        path: Any file that `read_weights` reads, with published names or ours.

    Returns:
        float32 or float64 arrays named and laid out as in `FusionModel`.

    Raises:
        ConversionError: It cannot be read or holds nothing to start from; or tensors are missing, extra, mis-shaped
            (all listed).
    """
    file = read_weights(path)
    found = recognise(file)
    if "vgg" in found.parts:
        hint = "give it as network.vgg_weights or uhntc.vgg_weights"
        raise ConversionError("VGG16-BN alone", where=path, expected="UMSFT or uHNTC", hint=hint)
    report = Report(found.describe(), (file.path.name, file.sha256))
    networks = checked_networks(found, report)
    if found.grammar == "paddle" and "srf" not in found.parts:  # a run that knew the SRF has none to offer
        report.rows = [row for row in report.rows if row.status != "missing" or not row.name.startswith(SRF_PREFIX)]
    if report.problems():
        raise ConversionError("weights do not fit", where=path, got=report.problems())
    published = {name: leaf.values() for network in networks.values() for name, leaf in network.tensors.items()}
    if "uhntc" in networks:
        sizes = uhntc_sizes({name: array.shape for name, array in published.items()})
        published = {**query_start(sizes.bands), **published}
    ours, _ = published_to_ours(published)
    # Copies, so that the file need not stay open.
    return {name: np.array(a, np.float64 if a.dtype == np.float64 else np.float32) for name, a in ours.items()}
