"""PyTorch weights in and out, without PyTorch: `convert_file`, `load_vgg_features`, and the names' translation."""

from __future__ import annotations

from paddle_umsft.weights.convert import IncompleteError, convert_file
from paddle_umsft.weights.formats.reader import read_weights
from paddle_umsft.weights.mapping import ours_to_published, published_to_ours
from paddle_umsft.weights.names import our_key, published_key
from paddle_umsft.weights.report import Report
from paddle_umsft.weights.start import has_declared_query, load_start
from paddle_umsft.weights.vgg import load_vgg19_features, load_vgg_features

__all__ = [
    "IncompleteError",
    "Report",
    "convert_file",
    "has_declared_query",
    "load_start",
    "load_vgg19_features",
    "load_vgg_features",
    "our_key",
    "ours_to_published",
    "published_key",
    "published_to_ours",
    "read_weights",
]
