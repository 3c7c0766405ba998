"""Audit a data set: leaking copies, suspicious labels, bad channels, and classes confounded with a group."""
