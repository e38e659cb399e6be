"""The public archives that `digitd data fetch` knows: where they are, what they hold and on what terms.

The checksums are others' published ones, not taken from a download of our own:
    fsdd             tensorflow/datasets, tensorflow_datasets/audio/spoken_digit/checksums.tsv
    speech-commands  tensorflow/datasets, tensorflow_datasets/url_checksums/speech_commands.txt
    audiomnist       nobody publishes one for an archive in the repository's layout
"""

from dataclasses import dataclass

from digitd.daemon.errors import FetchError
from digitd.daemon.settings import nearest


@dataclass(frozen=True)
class Archive:
    """One `.tar.gz` that holds one corpus."""

    corpus: str
    """The name of its reader."""
    urls: tuple[str, ...]
    """The first is used; the others are told as mirrors."""
    sha256: str | None
    """Of the archive; None where nobody publishes it, and then the counts are demanded."""
    size_bytes: int | None
    n_recordings: int
    n_speakers: int
    licence: str
    licence_url: str
    citation: str
    home_url: str
    top: str
    """Pattern of the folder within the archive that is the corpus; `.` where the archive has no top folder."""


ARCHIVES = (
    Archive(
        corpus="audiomnist",
        # a commit, because `master` may move; the archive is made on demand, so its compression may change some day
        urls=("https://github.com/soerenab/AudioMNIST/archive/2d321db4486309936a231576179de1f482996468.tar.gz",),
        sha256=None,
        size_bytes=None,
        n_recordings=30000,
        n_speakers=60,
        licence="MIT",
        licence_url="https://github.com/soerenab/AudioMNIST/blob/master/LICENSE",
        citation="Becker et al.: AudioMNIST, J. Franklin Inst. 361(1):418-428, 2024, arXiv:1807.03418",
        home_url="https://github.com/soerenab/AudioMNIST",
        top="*AudioMNIST-*",
    ),
    Archive(
        corpus="fsdd",
        urls=("https://github.com/Jakobovski/free-spoken-digit-dataset/archive/v1.0.9.tar.gz",),
        sha256="8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0",
        size_bytes=11_975_353,
        n_recordings=2500,
        n_speakers=5,
        licence="CC BY-SA 4.0",
        licence_url="https://creativecommons.org/licenses/by-sa/4.0/",
        citation="Jackson et al.: Free Spoken Digit Dataset v1.0.9, doi:10.5281/zenodo.1342401",
        home_url="https://github.com/Jakobovski/free-spoken-digit-dataset",
        top="*free-spoken-digit-dataset-*",
    ),
    Archive(
        corpus="speech-commands",
        urls=(
            "https://storage.googleapis.com/download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
            "http://download.tensorflow.org/data/speech_commands_v0.02.tar.gz",
        ),
        sha256="af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
        size_bytes=2_428_923_189,
        n_recordings=105_829,
        n_speakers=2618,
        licence="CC BY 4.0",
        licence_url="https://creativecommons.org/licenses/by/4.0/",
        citation="Warden: Speech Commands: A Dataset for Limited-Vocabulary Speech Recognition, 2018, arXiv:1804.03209",
        home_url="https://www.tensorflow.org/datasets/catalog/speech_commands",
        top=".",
    ),
)


def archive_of(corpus: str) -> Archive:
    """The archive of a corpus.

    Raises:
        FetchError: no archive is known for it.
    """
    known = {archive.corpus: archive for archive in ARCHIVES}
    if corpus not in known:
        raise FetchError(f"no public archive of {corpus!r}{nearest(corpus, known)}")
    return known[corpus]
