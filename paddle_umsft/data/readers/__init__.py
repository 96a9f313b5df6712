"""Files -> arrays: one module per format, one row of `table.py` each."""
