"""Hyperspectral-multispectral image fusion on PaddlePaddle."""

__version__ = "0.1.0.dev0"
