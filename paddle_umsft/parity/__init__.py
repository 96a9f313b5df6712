"""The parity check: this package against numbers that the published code produced.

    python -m paddle_umsft.parity

docs/parity.md explains what is compared and how far it may differ.
"""
