"""The recipe of an extraction chosen on the user's own images: `cellfeat recommend`."""
