"""A model filled by the published names of its tensors."""

from __future__ import annotations

import numpy as np
from paddle import nn

from paddle_umsft.parity.fill import fill
from paddle_umsft.weights import names
from paddle_umsft.weights.mapping import to_our_layout, to_published_layout


def fill_by_name(model: nn.Layer) -> None:
    """Fill every tensor of a model, or of one of its networks."""
    for name, tensor in model.state_dict().items():
        key = names.published_key(name)
        shape = to_published_layout(key, np.empty(tensor.shape, np.int8)).shape
        seed_key = key
        if key in names.PSF_KEYS:  # one tensor that the published code registers under two names
            seed_key = "psf"
        values = to_our_layout(key, fill(seed_key, shape))
        tensor.set_value(values.astype(tensor.numpy().dtype))
