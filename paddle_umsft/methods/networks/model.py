"""Network and degradations as one model: what a checkpoint holds and the converter reads and writes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Optional, Union

import numpy as np
import paddle
from paddle import nn

from paddle_umsft.cameras.border import Border
from paddle_umsft.cameras.observe import border_of
from paddle_umsft.data.scene import Observation, Supports
from paddle_umsft.errors import DataError
from paddle_umsft.methods.networks.psf_layers import KnownPsf, LearnedPsf
from paddle_umsft.methods.networks.srf_layers import KnownSrf, LearnedSrf
from paddle_umsft.weights.fit import first_lines, misfits, shapes_of

SpatialLayer = Union[LearnedPsf, KnownPsf]
SpectralLayer = Union[LearnedSrf, KnownSrf]


class EncodingNetwork(nn.Layer):
    """A fusion network whose encoders can start from VGG16-BN."""

    def load_vgg(self, weights: Mapping[str, np.ndarray]) -> None:
        """Start the encoders from VGG16-BN weights (see `VggFeatures.load_vgg`)."""
        raise NotImplementedError


@dataclass(frozen=True)
class ModelSizes:
    """What a model is made to fit.

    Attributes:
        bands: C.
        msi_bands: M.
        scale: s.
        supports: Per MSI band the half-open range of HSI bands it sees; None: all of them.
        psf: (k, k) known PSF.
        srf: (M, C) known SRF.
        border: What a known PSF sees beyond the image; a learned one wraps around, as the published one does.
    """

    bands: int
    msi_bands: int
    scale: int
    supports: Optional[Supports] = None
    psf: Optional[np.ndarray] = None
    srf: Optional[np.ndarray] = None
    border: Border = "wrap"

    @classmethod
    def of(cls, observation: Observation) -> ModelSizes:
        """Those of an observation, with what is known of its cameras."""
        return cls(
            bands=observation.bands,
            msi_bands=observation.msi_bands,
            scale=observation.scale,
            supports=observation.supports,
            psf=observation.psf,
            srf=observation.srf,
            border=border_of(observation),
        )


class FusionModel(nn.Layer):
    """A fusion network with its two degradations.

    Attributes:
        network: The fusion network.
        spatial: `LearnedPsf` or `KnownPsf`.
        spectral: `LearnedSrf` or `KnownSrf`.
        started: Which of the three started from given weights.
        has_declared_query: Whether the given weights had no query convolution of uHNTC's own, so that it is the
            declared one (P12).
    """

    def __init__(
        self,
        network: nn.Layer,
        spatial: SpatialLayer,
        spectral: SpectralLayer,
    ) -> None:
        super().__init__()
        self.network = network
        self.spatial = spatial
        self.spectral = spectral
        self.started: tuple[str, ...] = ()
        self.has_declared_query = False

    def start_from(self, path: Union[str, Path]) -> None:
        """Start from weights instead of random numbers: the network and what is learned of the cameras.

        Args:
            path: A published checkpoint or a `model.pdparams`. What is not in it starts as before; a known PSF or
                SRF stays as it is.

        Raises:
            ConversionError: It cannot be read, or is not whole.
            DataError: It belongs to another network or other bands; nothing is changed.
        """
        from paddle_umsft.weights import has_declared_query, load_start

        given = load_start(path)
        parts = {
            "network": self.network,
            "spatial": self.spatial,
            "spectral": self.spectral,
        }
        found: dict[str, np.ndarray] = {}
        wanted: dict[str, paddle.Tensor] = {}
        started = []
        # A part is taken whole or not at all; `state_problems` tells what would be missing.
        for part, layer in parts.items():
            tensors = {name: array for name, array in given.items() if name.startswith(f"{part}.")}
            is_known = isinstance(layer, (KnownPsf, KnownSrf))
            if is_known or not tensors:
                continue
            started.append(part)
            found.update(tensors)
            for name, tensor in layer.state_dict().items():
                wanted[f"{part}.{name}"] = tensor
        if not started:
            raise DataError(
                "nothing to start from",
                where=path,
                got="PSF or SRF alone, which are known here",
                hint="leave network.weights out",
            )
        problems = state_problems(wanted, found)
        if problems:
            raise DataError(
                "weights of another network or scene",
                where=path,
                got="; ".join(problems),
                hint="bands, scale, observe.supports and network sizes must be those of the weights",
            )
        for name, tensor in wanted.items():
            dtype = str(tensor.dtype).split(".")[-1]  # "paddle.float32" -> "float32"
            tensor.set_value(found[name].astype(dtype))
        self.started = tuple(started)
        self.has_declared_query = has_declared_query(given)

    def cameras(self) -> dict[str, np.ndarray]:
        """What is known or was learned of both cameras: tensors by name, copied."""
        state = {}
        for part, layer in (("spatial", self.spatial), ("spectral", self.spectral)):
            for name, tensor in layer.state_dict().items():
                state[f"{part}.{name}"] = tensor.numpy().copy()
        return state

    def hold_cameras(self, cameras: Mapping[str, np.ndarray]) -> None:
        """Take both cameras as they were learned elsewhere, and let them learn no more.

        Args:
            cameras: What `cameras` returned, of a model for the same bands and scale.
        """
        for part, layer in (("spatial", self.spatial), ("spectral", self.spectral)):
            for name, tensor in layer.state_dict().items():
                values = cameras[f"{part}.{name}"]
                tensor.set_value(values)
            for parameter in layer.parameters():
                parameter.stop_gradient = True

    def not_learned(self) -> list[str]:
        """Return which of PSF and SRF are to be learned, and did not start from given weights."""
        cameras = {"PSF": ("spatial", self.spatial), "SRF": ("spectral", self.spectral)}
        unlearned = []
        for name, (part, layer) in cameras.items():
            is_known = isinstance(layer, (KnownPsf, KnownSrf))
            if not is_known and part not in self.started:
                unlearned.append(name)
        return unlearned


def state_problems(
    wanted: Mapping[str, Any],
    found: Mapping[str, Any],
    most: int = 5,
) -> list[str]:
    """Return what keeps a state_dict from fitting: Paddle's own set_state_dict accepts anything in silence.

    Args:
        wanted: Name -> tensor, of the layer.
        found: Name -> tensor or array, of the state.
        most: How many lines to give at most.

    Returns:
        Lines on missing, extra and mis-shaped tensors; empty if it fits.
    """
    problems = misfits(shapes_of(wanted), shapes_of(found))
    return first_lines(problems, most)


def build_cameras(sizes: ModelSizes) -> tuple[SpatialLayer, SpectralLayer]:
    """Build both degradations; what is known of the cameras is held fixed, the rest is learned."""
    spatial: SpatialLayer
    if sizes.psf is None:
        spatial = LearnedPsf(scale=sizes.scale)
    else:
        spatial = KnownPsf(sizes.psf, scale=sizes.scale, border=sizes.border)
    if sizes.srf is not None:
        return spatial, KnownSrf(sizes.srf)
    # Nothing is said of what an MSI band sees: it may see everything.
    all_bands = (0, sizes.bands)
    supports = sizes.supports or (all_bands,) * sizes.msi_bands
    return spatial, LearnedSrf(bands=sizes.bands, supports=supports)


def assemble(
    network: EncodingNetwork,
    sizes: ModelSizes,
    *,
    weights: Optional[str],
    vgg_weights: Optional[str],
) -> FusionModel:
    """Put a network and its degradations together, and bring them to where they start.

    Args:
        network: Fresh.
        sizes: What the model is made to fit.
        weights: File of the whole model's weights to start from, or None.
        vgg_weights: File of VGG16-BN's weights for the encoders, or None.

    Raises:
        DataError: If weights to start from cannot be read or do not fit.
    """
    if vgg_weights is not None:
        from paddle_umsft.weights import load_vgg_features

        network.load_vgg(load_vgg_features(vgg_weights))
    spatial, spectral = build_cameras(sizes)
    model = FusionModel(network, spatial, spectral)
    if weights is not None:
        # After VGG's: what a whole model learned goes before what its encoders once started from.
        model.start_from(weights)
    return model
