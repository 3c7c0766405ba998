"""Options of commands: what click shows of them, and the settings that they give.

Nothing here computes, and nothing knows what a command does.
"""
