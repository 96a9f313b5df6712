"""What a sensor does to a scene: PSF, SRF and noise as operators, and the simulation of both cameras."""
