"""Scenes and pairs of images: files, folders, SRF tables, made-up scenes."""
