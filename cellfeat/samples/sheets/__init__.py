"""Small grey pictures of samples, a sheet a channel: the windows, the pictures, and the files that keep them."""
