"""The two grammars of names, against the published state_dicts (by digest) and against this package's network."""

from __future__ import annotations

import hashlib
import math

import pytest

from paddle_umsft.weights import names, our_key, published_key, shapes
from paddle_umsft.weights.sizes import umsft_sizes

FULL = {"attention": (30,) * 3, "widths": (191,) * 3, "skips": (20,) * 3}
PUBLISHED = {
    # Digest of "key AxBxC\n" for each key in order, made from what the published code's state_dict lists (HIFtool,
    # commit 6a515e4, torch 2.13): keys, numbers.
    "31x3": (
        shapes.Sizes(bands=31, supports=(11, 13, 12), **FULL),
        "d137b42524cc4a58de4b741cad633371cdd923db5f18f619dc6cd96045865aea",
        517,
    ),
    "128x4": (
        shapes.Sizes(bands=128, supports=(30, 37, 43, 60), **{**FULL, "attention": (125,) * 3}),
        "4ee2dec36c305ea3d954acd4f3662d6c4d1312708d30228b9295ceaf072c41c4",
        520,
    ),
}
KNOWN = {
    "attention.w_qs.weight": "network.levels.0.attention.query.weight",
    "attention3.fc.weight": "network.levels.2.attention.out.weight",
    "FeatureMerge1.0.bias": "network.levels.0.merge_hsi.reduce.bias",
    "FeatureMerge6.2.weight": "network.levels.2.merge_msi.refine.weight",
    "HSIFE.extractor.21.running_var": "network.hsi_encoder.norm21._variance",
    "MSIFE.extractor.20.weight": "network.msi_encoder.conv20.weight",
    "super.1.0.1.0.weight": "network.levels.0.hourglass.outer.skip.conv.weight",
    "super2.1.1.7.1.1.4.1.bias": "network.levels.1.hourglass.outer.inner.deep.conv.bias",
    "super.1.1.7.1.1.7.7.running_mean": "network.levels.0.hourglass.outer.inner.inner.mix.norm._mean",
    "super3.9.1.bias": "network.levels.2.hourglass.head.bias",
    "rm.refine.2.weight": "network.spatial_fusion.spread.weight",
    "rm.srf.srf_list.2": "spectral.responses.2.start",
    "rm.srf.conv_lst.10.bias": "spectral.responses.10.bias",
    "net.down.weight": "spatial.kernel",
}


@pytest.mark.parametrize("case", PUBLISHED)
def test_shapes_are_the_published_ones(case: str) -> None:
    sizes, digest, count = PUBLISHED[case]
    made = shapes.umsft_shapes(sizes)
    lines = "".join(f"{key} {'x'.join(map(str, shape))}\n" for key, shape in made.items())
    assert len(made) == count
    assert hashlib.sha256(lines.encode()).hexdigest() == digest
    assert umsft_sizes(made) == sizes


def test_size_of_the_published_checkpoint() -> None:
    """145 MB, as reference.md has it: 36.25 M parameters and the statistics."""
    made = shapes.umsft_shapes(PUBLISHED["31x3"][0])
    assert 36.25e6 < sum(math.prod(shape) for shape in made.values()) < 36.3e6


@pytest.mark.parametrize("published", KNOWN)
def test_known_names(published: str) -> None:
    ours = KNOWN[published]
    assert our_key(published) == ours
    assert published_key(ours) == published
    assert published_key(ours.partition(".")[2]) == published


@pytest.mark.parametrize("case", PUBLISHED)
def test_every_name_there_and_back(case: str) -> None:
    kept = [key for key in shapes.umsft_shapes(PUBLISHED[case][0]) if our_key(key) is not None]
    ours = [our_key(key) for key in kept]
    assert len(set(ours)) == len(ours)
    assert [published_key(name) for name in ours if name] == kept
    left = set(shapes.umsft_shapes(PUBLISHED[case][0])) - set(kept)
    assert all(key.endswith("num_batches_tracked") or names.is_dead(key) for key in left)


OUTSIDE = (
    "weight attention4.fc.weight attention.w_ws.weight super.9.1.bias super2.9.0.bias super.1.weight rm.srf.srf_list.x "
    "FeatureMerge7.0.bias HSIFE.extractor.24.weight super.1.1.7.9.0.bias rm.refine.1.bias network. levels.3.attention"
)


@pytest.mark.parametrize("name", ["", *OUTSIDE.split()])
def test_names_outside_the_grammar(name: str) -> None:
    assert our_key(name) is None
    with pytest.raises(KeyError):
        published_key(name)


def test_every_tensor_of_the_network_has_a_published_name() -> None:
    paddle = pytest.importorskip("paddle")
    from paddle_umsft.methods.networks.model import ModelSizes
    from paddle_umsft.methods.umsft.model import build_model

    paddle.seed(0)
    model = build_model(ModelSizes(bands=7, msi_bands=2, scale=4, supports=((0, 3), (2, 7))))
    sizes = shapes.Sizes(7, (3, 5), (5, 5, 5), (191,) * 3, (20,) * 3)
    wanted = {**shapes.umsft_shapes(sizes), **shapes.psf_shapes(5)}
    for name, tensor in model.state_dict().items():
        key = published_key(name)
        assert tuple(tensor.shape) == names.our_shape(key, wanted[key]), name
    assert len(model.state_dict()) == sum(our_key(key) is not None for key in wanted) - 1  # the kernel has two names
