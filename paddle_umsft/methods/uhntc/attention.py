"""Attention among the channels of a tap: which texture of the sharp image belongs to which of the coarse one."""

from __future__ import annotations

import paddle
import paddle.nn.functional as F

from paddle_umsft.methods.networks.ops.small import FixedKeyAttention, usable


def channel_attention(
    query: paddle.Tensor,
    key: paddle.Tensor,
    value: paddle.Tensor,
) -> paddle.Tensor:
    """Let the channels of three maps attend to each other; there is nothing to learn in it.

    Args:
        query: (B, K, H, W), of the enlarged LR-HSI.
        key: (B, K, H, W), of the HR-MSI made as coarse as the LR-HSI.
        value: (B, K, H, W), of the HR-MSI.

    Returns:
        (B, K, H, W): value + softmax(query keyᵀ / √(H·W)) value, each map seen as (K, H·W).
    """
    fixed = key.stop_gradient and value.stop_gradient
    is_single = query.shape[0] == 1
    if fixed and is_single and usable(query, key, value):
        return FixedKeyAttention.apply(query, key, value)
    q = query.flatten(2)  # (B, K, H·W), as the next two
    k = key.flatten(2)
    v = value.flatten(2)
    pixels = int(q.shape[2])
    products = paddle.matmul(q, k, transpose_y=True)  # (B, K, K)
    likeness = products / pixels**0.5
    weights = F.softmax(likeness, axis=-1)
    attended = paddle.matmul(weights, v)  # (B, K, H·W)
    return value + attended.reshape(value.shape)
