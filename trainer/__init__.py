"""Train time: corpora -> split -> examples (heard with the daemon's own ears) -> networks -> fit -> a run folder."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow is loaded; its errors come as exceptions
