"""What the gateway proves itself with: a certificate and its key, which may be renewed while it runs."""

import ssl
from dataclasses import dataclass
from pathlib import Path

from digitd.daemon.errors import ConfigError
from digitd.daemon.gateway.tokens import read_guarded


@dataclass(frozen=True)
class Certificate:
    """Two files of PEM."""

    certificate: Path
    """And those that vouch for it."""
    key: Path

    def context(self) -> ssl.SSLContext:
        """For TLS 1.2 and newer.

        Raises:
            ConfigError: the files cannot be read, do not belong together, or others may read the key.
        """
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self._load(context)
        return context

    def renew(self, context: ssl.SSLContext) -> None:
        """Show those who come from here on what the files hold now.

        Raises:
            ConfigError: as `context`; nothing is changed then.
        """
        self.context()  # a pair that does not fit would leave half of it behind
        self._load(context)

    def _load(self, context: ssl.SSLContext) -> None:
        def password() -> str:  # nobody is there to type one, when a service begins
            raise ConfigError(f"{self.key}: is encrypted; give a key that is not, in a file that others cannot read")

        read_guarded(self.key)
        try:
            context.load_cert_chain(self.certificate, self.key, password)
        except ssl.SSLError as error:
            why = error.reason or "no PEM"
            raise ConfigError(f"{self.certificate} and {self.key}: no certificate and its key ({why})") from error
        except OSError as error:
            raise ConfigError(f"{self.certificate}: cannot be read ({error.strerror}); name a PEM file") from error
