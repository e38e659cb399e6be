"""What a client is told of this service: the answer to `describe`."""

from wyoming.info import AsrModel, AsrProgram, Attribution, Info

import digitd

LANGUAGE = "en"
PROGRAM = "digitd"
ATTRIBUTION = Attribution(name="the digitd authors", url="")


def introduction(model: str, *, streams: bool) -> Info:
    """One program with the one model that the daemon runs.

    Args:
        model: the name of the daemon's bundle.
        streams: whether each digit is sent as it is heard.
    """
    heard = AsrModel(
        name=model,
        attribution=ATTRIBUTION,
        installed=True,
        description="Spoken digits, zero to nine",
        version=digitd.__version__,
        languages=[LANGUAGE],
    )
    program = AsrProgram(
        name=PROGRAM,
        attribution=ATTRIBUTION,
        installed=True,
        description="Spoken digits, live",
        version=digitd.__version__,
        models=[heard],
        supports_transcript_streaming=streams,
    )
    return Info(asr=[program])
