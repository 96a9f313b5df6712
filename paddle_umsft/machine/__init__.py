"""What the computer is: environment, versions, screen, files written whole or not at all. No arrays."""
