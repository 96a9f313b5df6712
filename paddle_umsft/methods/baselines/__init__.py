"""Methods to compare with, each in a file of its own, named with its source."""
