"""Where events go; one member a file."""
