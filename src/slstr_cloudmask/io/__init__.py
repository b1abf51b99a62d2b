"""What is on disk, to and from Scene and Mask."""
