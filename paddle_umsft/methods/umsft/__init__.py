"""UMSFT: the published network, its model and its fit to one scene."""
