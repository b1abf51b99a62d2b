"""CloudMask: how likely cloud is at every pixel of a Sentinel-3 SLSTR scene."""

__version__ = "0.1.0"
