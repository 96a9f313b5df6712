"""Each Paddle operator that the network and the degradations use against its PyTorch counterpart."""

from __future__ import annotations

from typing import Any, Callable

import numpy as np
import paddle
import paddle.nn.functional as PF
import pytest

from paddle_umsft.methods.networks.exact import average_pool, for_batch_norm, leaky_relu, resize_bilinear
from paddle_umsft.methods.networks.layers import instance_norm

torch = pytest.importorskip("torch", reason="operators are compared with PyTorch's (an extra)")
TF = torch.nn.functional

EPSILON = 1e-5  # of batch normalisation

# Per type: forward and gradient, relative to the largest value. float32 sums of some hundred products differ by the
# order of adding; float64 shows that nothing else does, but for what Paddle keeps in float32 whatever the type.
LIMITS = {"float64": 1e-13, "float32": 3e-6}
ROUNDED = {
    # Its gradient divides by the window's size in float32. Step 1 pools images that stand still: nobody asks for it.
    "average pool 9, stride 4": 1e-7,
}


def batch_norm_paddle(x: Any, weight: Any, bias: Any) -> Any:
    zeros, ones = paddle.zeros([x.shape[1]], x.dtype), paddle.ones([x.shape[1]], x.dtype)
    return PF.batch_norm(for_batch_norm(x, EPSILON), zeros, ones, weight, bias, training=True, epsilon=EPSILON)


def batch_norm_torch(x: Any, weight: Any, bias: Any) -> Any:
    return TF.batch_norm(x, None, None, weight, bias, training=True, eps=EPSILON)


def conv_paddle(mode: str, stride: int) -> Callable[..., Any]:
    def run(x: Any, weight: Any, bias: Any) -> Any:
        if mode == "zeros":
            return PF.conv2d(x, weight, bias, stride=stride, padding=1)
        return PF.conv2d(PF.pad(x, [1, 1, 1, 1], mode=mode), weight, bias, stride=stride)

    return run


def conv_torch(mode: str, stride: int) -> Callable[..., Any]:
    def run(x: Any, weight: Any, bias: Any) -> Any:
        if mode == "zeros":
            return TF.conv2d(x, weight, bias, stride=stride, padding=1)
        return TF.conv2d(TF.pad(x, (1, 1, 1, 1), mode=mode), weight, bias, stride=stride)

    return run


def resized(size: tuple[int, int], mode: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    corners = {} if mode == "nearest" else {"align_corners": False}
    return (
        lambda x: PF.interpolate(x, size=list(size), mode=mode, **corners),
        lambda x: TF.interpolate(x, size=size, mode=mode, **corners),
    )


def doubled(mode: str) -> tuple[Callable[..., Any], Callable[..., Any]]:
    return (
        lambda x: PF.interpolate(x, scale_factor=2, mode=mode, align_corners=False),
        lambda x: TF.interpolate(x, scale_factor=2, mode=mode, align_corners=False),
    )


MAP, WEIGHT, BIAS = (1, 6, 17, 20), (7, 6, 3, 3), (7,)
CASES: dict[str, tuple[list[tuple[int, ...]], Callable[..., Any], Callable[..., Any]]] = {
    f"conv {mode} stride {stride}": ([MAP, WEIGHT, BIAS], conv_paddle(mode, stride), conv_torch(mode, stride))
    for mode in ("zeros", "reflect", "circular")
    for stride in (1, 2)
}
CASES.update(
    {
        "conv 1x1": ([MAP, (7, 6, 1, 1), BIAS], PF.conv2d, TF.conv2d),
        "conv 9x9 stride 8, circular": (
            [(5, 1, 24, 40), (1, 1, 9, 9)],
            lambda x, k: PF.conv2d(PF.pad(x, [1, 1, 1, 1], mode="circular"), k, stride=8),
            lambda x, k: TF.conv2d(TF.pad(x, (1, 1, 1, 1), mode="circular"), k, stride=8),
        ),
        "conv1d": (
            [(1, 1, 13), (1, 1, 3), (1,)],
            lambda x, w, b: PF.conv1d(x, w, b, padding=1),
            lambda x, w, b: TF.conv1d(x, w, b, padding=1),
        ),
        "batch norm, training": ([MAP, (6,), (6,)], batch_norm_paddle, batch_norm_torch),
        "batch norm, deviation as small as its epsilon": (  # 1/256 scales a float32 without rounding
            [MAP, (6,), (6,)],
            lambda x, w, b: batch_norm_paddle(x * 0.00390625, w, b),
            lambda x, w, b: batch_norm_torch(x * 0.00390625, w, b),
        ),
        "instance norm, deviation as small as its epsilon": (
            [MAP],
            lambda x: instance_norm(x * 0.00390625, 1e-5),
            lambda x: TF.instance_norm(x * 0.00390625, eps=1e-5),
        ),
        "leaky relu": ([MAP], lambda x: leaky_relu(x, 0.2), lambda x: TF.leaky_relu(x, 0.2)),
        "elu": ([MAP], PF.elu, TF.elu),
        "relu": ([MAP], PF.relu, TF.relu),
        "sigmoid": ([MAP], PF.sigmoid, torch.sigmoid),
        "softmax": ([(1, 5, 6, 6)], lambda x: PF.softmax(x, axis=-1), lambda x: torch.softmax(x, -1)),
        "bilinear x2": ([MAP], *doubled("bilinear")),
        "bicubic x2": ([MAP], *doubled("bicubic")),
        "nearest 17x19 -> 68x76": ([(1, 3, 17, 19)], *resized((68, 76), "nearest")),
        "nearest 16x19 -> 66x77": ([(1, 3, 16, 19)], *resized((66, 77), "nearest")),
        "nearest 43x45 -> 16x16": ([(1, 3, 43, 45)], *resized((16, 16), "nearest")),
        "nearest 129x155 -> 16x19": ([(1, 3, 129, 155)], *resized((16, 19), "nearest")),
        "nearest 65x77 -> 131x155": ([(1, 3, 65, 77)], *resized((131, 155), "nearest")),
        "nearest 4x5 -> 16x20": ([(1, 3, 4, 5)], *resized((16, 20), "nearest")),
        "bilinear 4x5 -> 128x160": ([(1, 3, 4, 5)], *resized((128, 160), "bilinear")),
        "bilinear 9x10 -> 135x150": (
            [(1, 3, 9, 10)],
            lambda x: resize_bilinear(x, 135, 150),
            lambda x: TF.interpolate(x, size=(135, 150), mode="bilinear", align_corners=False),
        ),
        "max pool": ([MAP], lambda x: PF.max_pool2d(x, 2, 2), lambda x: TF.max_pool2d(x, 2, 2)),
        "average pool 8": (
            [(3, 1, 24, 40)],
            lambda x: average_pool(x, 8),
            lambda x: TF.avg_pool2d(x, 8, 8),
        ),
        "average pool 5": (
            [(3, 1, 25, 40)],
            lambda x: average_pool(x, 5),
            lambda x: TF.avg_pool2d(x, 5, 5),
        ),
        "average pool 9, stride 4": (
            [(1, 3, 24, 40)],
            lambda x: PF.avg_pool2d(PF.pad(x, [4, 4, 4, 4], mode="reflect"), 9, 4),
            lambda x: TF.avg_pool2d(TF.pad(x, (4, 4, 4, 4), mode="reflect"), 9, 4),
        ),
        "matmul": (
            [(1, 5, 6, 340), (1, 5, 6, 340)],
            lambda q, k: paddle.matmul(q, k, transpose_y=True),
            lambda q, k: q @ k.transpose(2, 3),
        ),
        "linear over pixels": (
            [(31, 30), (1, 31, 17 * 20)],
            lambda w, x: paddle.matmul(w, x, transpose_x=True),
            lambda w, x: TF.linear(x.transpose(1, 2), w.t()).transpose(1, 2),
        ),
        "mean over pixels": (
            [MAP],
            lambda x: x - x.flatten(2).mean(axis=2).reshape([1, 6, 1, 1]),
            lambda x: x - x.mean(dim=(2, 3), keepdim=True),
        ),
        "concat and crop": (
            [(1, 3, 18, 20), (1, 4, 17, 21)],
            lambda a, b: paddle.concat([a[:, :, 0:17, 0:20], b[:, :, 0:17, 0:20]], axis=1),
            lambda a, b: torch.cat([a[:, :, 0:17, 0:20], b[:, :, 0:17, 0:20]], dim=1),
        ),
        "l1 loss": ([MAP, MAP], PF.l1_loss, TF.l1_loss),
        # Not + 0.1: Paddle 2.6 adds numbers as float32.
        "log10": ([MAP], lambda x: paddle.log10(x * x + 0.125), lambda x: torch.log10(x * x + 0.125)),
        "attention's temperature": (
            [(1, 5, 6, 6)],
            lambda x: PF.softmax(x / 31**0.5, axis=-1),
            lambda x: torch.softmax(x / 31**0.5, -1),
        ),
        "encoder's input": ([MAP], lambda x: (x - 0.5) / 0.5, lambda x: (x - 0.5) / 0.5),
    }
)


def difference(found: np.ndarray, wanted: np.ndarray) -> float:
    assert found.shape == wanted.shape
    return float(np.abs(found - wanted).max() / max(np.abs(wanted).max(), 1e-30))


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", CASES)
def test_operator_is_the_same_forward_and_backward(name: str, dtype: str) -> None:
    shapes, in_paddle, in_torch = CASES[name]
    limit = max(LIMITS[dtype], ROUNDED.get(name, 0.0) if dtype == "float64" else 0.0)
    random = np.random.RandomState(len(name))
    arrays = [random.standard_normal(shape).astype(dtype) for shape in shapes]
    ours = [paddle.to_tensor(array, stop_gradient=False) for array in arrays]
    theirs = [torch.from_numpy(array.copy()).requires_grad_() for array in arrays]
    got, wanted = in_paddle(*ours), in_torch(*theirs)
    assert difference(got.numpy(), wanted.detach().numpy()) <= limit
    slope = random.standard_normal(tuple(wanted.shape)).astype(dtype)
    (got * paddle.to_tensor(slope)).sum().backward()
    (wanted * torch.from_numpy(np.asarray(slope))).sum().backward()
    for mine, twin in zip(ours, theirs):
        assert difference(mine.grad.numpy(), twin.grad.numpy()) <= limit
