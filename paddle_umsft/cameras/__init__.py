"""Known physics: PSF, SRF and noise as operators, and the simulation of both cameras."""
