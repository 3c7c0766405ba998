"""Audit a data set: leaking copies, suspicious labels, bad channels, and confounded classes."""
