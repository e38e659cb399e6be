"""Where audio comes from; one member a file."""
