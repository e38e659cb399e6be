"""What `digitd doctor` looks at, one thing a file; `doctor` puts them in order."""
