"""The one tree of errors; a message names the offending value and the remedy.

DigitdError                 every error that a user can mend; the command line prints one line, exit status 2
|-- ConfigError             a TOML file or a command-line value
|-- AudioError              a recording or stream that cannot be heard
|   `-- MicrophoneError     a microphone that is not there or cannot be opened
|       `-- StalledError    one that is there and sends nothing
|-- BundleError             a bundle that is missing, damaged or does not answer as it did when released
|-- ProviderError           an execution provider that was asked for and is not in use
|   `-- EndpointError       a server of networks that does not answer, or not with the network of the bundle
|-- ClusterError            a cluster that cannot be reached, or does not do its work
|-- SinkError               a sink that cannot be opened
|-- KeyboardError           a keyboard that is not there or does not type
|-- TerminalError           a terminal that cannot show a live view
|-- CorpusError             recordings that cannot be trained on
|-- FetchError              a public data set that cannot be had whole
|-- TrainingError           a run folder or run file that cannot be used
`-- ExportError             a network that did not survive its conversion
"""


class DigitdError(Exception):
    """Root of all errors that a user can mend."""


class ConfigError(DigitdError):
    """A TOML file or a command-line value is wrong."""


class AudioError(DigitdError):
    """A recording or a stream of samples cannot be heard."""


class MicrophoneError(AudioError):
    """A microphone is not there or cannot be opened."""


class StalledError(MicrophoneError):
    """A microphone is there and sends nothing."""


class BundleError(DigitdError):
    """A bundle is missing, damaged, or does not answer as it did when it was released."""


class ProviderError(DigitdError):
    """The execution provider that was asked for is not the one in use."""


class EndpointError(ProviderError):
    """No server runs the network, or it runs another."""


class ClusterError(DigitdError):
    """A cluster cannot be reached, or does not do its work."""


class SinkError(DigitdError):
    """A sink cannot be opened."""


class KeyboardError(DigitdError):
    """There is no keyboard to type with, or it does not type."""


class TerminalError(DigitdError):
    """There is no terminal, or none that can show a live view."""


class CorpusError(DigitdError):
    """Recordings are missing or cannot be trained on."""


class FetchError(DigitdError):
    """A public data set cannot be downloaded, or is not what it should be."""


class TrainingError(DigitdError):
    """A run folder or a run file cannot be used."""


class ExportError(DigitdError):
    """A network did not survive its conversion."""
