"""The folder of images, on a disk or on an object store, behind one interface."""
