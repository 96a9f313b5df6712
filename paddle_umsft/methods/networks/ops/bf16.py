"""Whether the networks can run in bf16 here: 8 significant bits, the range of float32, twice the products a second.

oneDNN has kernels for it wherever there is AVX-512; those without instructions for bf16 are there for correctness.
"""

from __future__ import annotations

import os
from typing import Optional

from paddle_umsft.machine.environment import BF16_FLAGS, has_bf16_instructions
from paddle_umsft.methods.networks.ops import onednn as dnnl
from paddle_umsft.methods.networks.ops.onednn import Library, OneDnnError, pair

# Set to anything, this variable lets bf16 run by whatever kernels there are: for tests, speed is none of it.
ANYWHERE = "PADDLE_UMSFT_BF16_ANYWHERE"
# Channels and pixels along a side of the convolution that is asked for.
PROBE_CHANNELS = 16
PROBE_SIZE = 4


def refusal(library: Library, cpuinfo: Optional[str] = None) -> Optional[str]:
    """Why there is no bf16 here, in a few words; None: there is.

    Args:
        library: That is to compute.
        cpuinfo: Text of /proc/cpuinfo, read from there by default.
    """
    if not has_bf16_instructions(cpuinfo) and not os.environ.get(ANYWHERE):
        return f"a processor without {' and '.join(BF16_FLAGS)}"
    # oneDNN may have been told to leave instructions alone (ONEDNN_MAX_CPU_ISA).
    if not has_kernels(library):
        version = ".".join(map(str, library.version))
        return f"oneDNN {version} without bf16 kernels for this processor"
    return None


def has_kernels(library: Library) -> bool:
    """Whether oneDNN has a bf16 convolution here, fast or not."""
    channels = PROBE_CHANNELS
    image = library.desc((1, channels, PROBE_SIZE, PROBE_SIZE), dnnl.TAG_NCHW16C, dnnl.BF16)
    weights = library.desc((channels, channels, 1, 1), dnnl.TAG_ANY, dnnl.BF16)
    no_bias = None
    stride = pair(1)
    dilation = padding = pair(0)
    try:
        library.primitive(
            "convolution_forward",
            dnnl.FORWARD,
            dnnl.CONVOLUTION_DIRECT,
            image,
            weights,
            no_bias,
            image,
            stride,
            dilation,
            padding,
            padding,
        )
    except OneDnnError:
        return False
    return True
