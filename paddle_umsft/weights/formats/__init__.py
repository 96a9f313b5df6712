"""Weight files of other programs, read without those programs: PyTorch, pickle, zip, safetensors, npz."""
