"""What a command does where another command does it, too, or where only one of its options asks for it.

Commands import steps, and never each other.
"""
