"""What would make scores untrue: confounding, labels, channels, and what leaking copies are worth."""
