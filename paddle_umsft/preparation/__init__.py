"""What is found out about the two cameras before a method fuses: PSF, SRF, and how far the images agree."""
