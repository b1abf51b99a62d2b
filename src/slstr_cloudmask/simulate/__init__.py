"""Scenes whose truth is known, and the provider's mistaken labels."""
