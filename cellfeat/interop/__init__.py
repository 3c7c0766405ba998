"""Files of other programs: what cellfeat writes for them."""
