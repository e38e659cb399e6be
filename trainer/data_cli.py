"""The subcommand data, whose one action is fetch."""

import argparse
import dataclasses
import re
from pathlib import Path

from digitd.daemon.command import Command
from digitd.daemon.errors import FetchError
from digitd.trainer.archives import ARCHIVES, Archive, archive_of

UNPUBLISHED = """checksum  none is published: the counts above are demanded, and the archive's sha256 is printed and
          recorded, so that --sha256 can demand it elsewhere"""


def _add_data(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", required=True, metavar="fetch")
    fetch = actions.add_parser("fetch", help="download, check and unpack one data set; goes on where it was stopped")
    names = ", ".join(archive.corpus for archive in ARCHIVES)
    fetch.add_argument("corpus", metavar="CORPUS", help=f"one of {names}")
    fetch.add_argument("dir", type=Path, metavar="DIR", help="the folder to make; DIR.fetching beside it is worked in")
    fetch.add_argument("--url", help="a mirror of the archive; the checksum still has to fit")
    fetch.add_argument("--sha256", metavar="HEX", help="demand this checksum and not the published one")


def _data(arguments: argparse.Namespace) -> int:
    archive = _wanted(arguments)
    from digitd.trainer.fetch import fetch  # requests and tqdm: after all that can be answered without them

    print(_terms(archive), flush=True)
    fetched = fetch(archive, arguments.dir)
    print(f"sha256    {fetched.sha256}")
    print(f"{arguments.dir}: {fetched.n_recordings} recordings by {fetched.n_speakers} speakers")
    return 0


def _wanted(arguments: argparse.Namespace) -> Archive:
    archive = archive_of(arguments.corpus)
    if arguments.url is not None:
        archive = dataclasses.replace(archive, urls=(arguments.url,))
    if arguments.sha256 is not None:
        if not re.fullmatch("[0-9a-fA-F]{64}", arguments.sha256):
            raise FetchError(f"--sha256 {arguments.sha256}: is no sha256; give its 64 hexadecimal digits")
        # who names another checksum means another file, of which no size is published
        archive = dataclasses.replace(archive, sha256=arguments.sha256.lower(), size_bytes=None)
    return archive


def _terms(archive: Archive) -> str:
    """What the user gets and on what terms, before a byte is loaded."""
    size = "size not published" if archive.size_bytes is None else f"{archive.size_bytes:,} bytes"
    lines = [
        f"corpus    {archive.corpus}: {archive.n_recordings} recordings by {archive.n_speakers} speakers ({size})",
        f"home      {archive.home_url}",
        f"licence   {archive.licence}, {archive.licence_url}",
        f"cite      {archive.citation}",
        f"from      {archive.urls[0]}",
        *(f"mirror    {url} (with --url)" for url in archive.urls[1:]),
        UNPUBLISHED if archive.sha256 is None else f"checksum  sha256 {archive.sha256}",
    ]
    return "\n".join(lines)


COMMANDS = {"data": Command(_add_data, _data)}
