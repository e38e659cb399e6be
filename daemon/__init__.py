"""Run time.

The data path: source -> audio -> vad -> segmenter -> features -> recogniser -> decoder -> events -> sinks.
"""
