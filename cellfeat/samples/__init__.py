"""What goes in: the table of samples, and the pixels of each.

Here stands what several packages use and none of them is about: regions of samples, a split made beforehand, threads
that end with the program. What makes synthetic images stands here, too.
"""
