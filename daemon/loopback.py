"""Which names and addresses mean this machine itself: nobody on the way can read what is sent to them."""


def is_loopback(host: str) -> bool:
    """Whether a host is this machine's own loopback, by its name or its address."""
    import ipaddress  # a millisecond, which a daemon without a broker need not spend

    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower().rstrip(".") == "localhost"
