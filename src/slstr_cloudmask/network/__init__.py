"""The U-Net, its normaliser, tiling, model file and inference."""
