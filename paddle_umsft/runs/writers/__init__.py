"""Fused cubes as files of other programs: one writer a format, in the table `writers.table`."""
