"""WebSockets for programs and machines elsewhere: events out, sound in."""
