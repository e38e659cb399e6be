"""Train time: corpora -> split -> examples (heard with the daemon's own ears) -> networks -> fit -> a run folder."""
