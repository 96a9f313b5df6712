"""The blind solver in seconds: PSF, SRF and a spectral subspace from the data, then one convex problem."""
