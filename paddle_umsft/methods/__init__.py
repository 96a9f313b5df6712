"""The fusion methods, one folder each."""
