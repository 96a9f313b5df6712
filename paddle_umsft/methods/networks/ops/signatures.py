"""The functions of oneDNN's C interface that are in use, and the types of their arguments."""

from __future__ import annotations

from ctypes import POINTER, c_float, c_int, c_int32, c_int64, c_size_t, c_uint, c_void_p
from typing import Any

Dims = c_int64 * 12  # as many axes as oneDNN knows
SHORT: dict[str, Any] = {
    "o": POINTER(c_void_p),
    "p": c_void_p,
    "i": c_int,
    "u": c_uint,
    "z": c_size_t,
}
SHORT.update({"f": c_float, "s": c_int32, "d": Dims, "F": POINTER(c_float)})
# One letter per argument: o handle made, p handle, i int, u unsigned, z size, f float, s int32, d sizes, F float*.
SIGNATURES = {
    "memory_desc_create_with_tag": "oidii",
    "memory_desc_create_with_strides": "oidid",
    "memory_desc_create_submemory": "opdd",
    "memory_desc_clone": "op",
    "memory_create": "oppp",
    "memory_set_data_handle": "pp",
    "memory_get_data_handle": "po",
    "primitive_create": "op",
    "primitive_desc_query": "piip",
    "engine_create": "oiz",
    "stream_create": "opu",
    "primitive_attr_create": "o",
    "post_ops_create": "o",
    "post_ops_append_sum": "pfsi",
    "primitive_attr_set_post_ops": "pp",
    "primitive_attr_set_scratchpad_mode": "pi",
    "convolution_forward_primitive_desc_create": "opiippppddddp",
    "convolution_backward_data_primitive_desc_create": "opipppddddpp",
    "convolution_backward_weights_primitive_desc_create": "opippppddddpp",
    "batch_normalization_forward_primitive_desc_create": "opippfup",
    "batch_normalization_backward_primitive_desc_create": "opipppfupp",
    "eltwise_forward_primitive_desc_create": "opiippffp",
    "eltwise_backward_primitive_desc_create": "opipppffpp",
    "resampling_forward_primitive_desc_create": "opiiFppp",
    "resampling_backward_primitive_desc_create": "opiFpppp",
    "pooling_forward_primitive_desc_create": "opiippdddddp",
    "pooling_backward_primitive_desc_create": "opippdddddpp",
    "binary_primitive_desc_create": "opipppp",
    "reorder_primitive_desc_create": "oppppp",
}
RELEASED = ("memory_desc", "memory", "primitive", "primitive_desc", "primitive_attr", "post_ops")
