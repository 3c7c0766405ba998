"""Samples that show a part of the same place, or are one another turned or mirrored."""
