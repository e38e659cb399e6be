"""A speech-to-text service of the Wyoming protocol, as Home Assistant and its satellites ask for."""
