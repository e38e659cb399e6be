"""A live view in the terminal of what a daemon hears; the data path is inbox -> hearing -> panels -> app."""
