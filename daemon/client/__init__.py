"""Programs that hear what a daemon hears: `digitd.client` is what they import."""
