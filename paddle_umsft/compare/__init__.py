"""Any results against a truth: files, side by side, tables."""
