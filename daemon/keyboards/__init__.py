"""Ways to type into the window that has the focus, one a file: the tool that does it is found by `choice`."""
