"""Folders of files on a disk or an object store, behind one interface: where plans, parts and images lie."""
