"""Satellite products by their own files: one module a mission, each a row of the table of formats."""
