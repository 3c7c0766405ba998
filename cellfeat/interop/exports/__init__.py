"""Features, predictions and saved heads as files of other programs: one file a format, listed in `registry`."""
