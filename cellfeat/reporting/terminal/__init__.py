"""What commands print: tables that are read first, and the few lines that change what a user does next.

Every figure is in the JSON files. Names of classes and samples come from files: control characters are escaped before
anything is shown, and no markup in them is obeyed.
"""
