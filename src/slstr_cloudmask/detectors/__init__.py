"""The ways to mask a scene, one protocol."""
