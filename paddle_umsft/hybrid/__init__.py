"""The best picture: an ensemble of learned spectral maps and a local refinement on top of the subspace solver."""
