"""Tells the local network of the service (mDNS), as Home Assistant looks for it."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from digitd.daemon.errors import ConfigError, SinkError
from digitd.daemon.wyoming.address import Address

ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 - it is compared with


def announceable(address: Address) -> Address:
    """The same address, where others can come to it.

    Raises:
        ConfigError: they cannot.
    """
    if address.is_near or ":" in address.host:
        raise ConfigError(
            f"--zeroconf: {address} is not reached from the network by IPv4; give --uri tcp://0.0.0.0:PORT --anyone"
        )
    return address


@asynccontextmanager
async def announced(address: Address, name: str) -> AsyncGenerator[None, None]:
    """Announce it while this lasts.

    Raises:
        SinkError: there is no network to tell, or the name cannot be had.
    """
    import zeroconf
    from wyoming.zeroconf import HomeAssistantZeroconf

    try:
        host = None if address.host in ANYWHERE else address.host
        service = HomeAssistantZeroconf(address.port, name=name or None, host=host)
    except OSError as error:
        raise SinkError(f"--zeroconf: there is no network to announce to ({error}); leave it out") from error
    try:
        try:
            await service.register_server()
        except zeroconf.Error as error:
            why = str(error) or type(error).__name__
            raise SinkError(f"--zeroconf {name}: it cannot be announced ({why}); give another NAME") from error
        yield
    finally:
        await service._aiozc.async_close()  # it says goodbye, for which the library has no other way
