"""The table of samples, built of images and labels, and checked before any image is read."""
