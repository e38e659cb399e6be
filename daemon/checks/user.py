"""Who the doctor is: the account, and what this process still lacks of its groups."""

import grp
import os
import pwd
from dataclasses import dataclass


@dataclass(frozen=True)
class User:
    """An account and a process of it."""

    name: str
    uid: int
    account_groups: frozenset[str]
    """That the account is in, by the system's database."""
    process_groups: frozenset[str]
    """That the process is in; they are of the time when its session began."""

    @classmethod
    def now(cls) -> "User":
        """The user of this process."""
        uid, gid = os.geteuid(), os.getegid()
        try:
            name, gid_of_account = pwd.getpwuid(uid).pw_name, pwd.getpwuid(uid).pw_gid
        except KeyError:
            name, gid_of_account = str(uid), gid
        account, process = os.getgrouplist(name, gid_of_account), [gid, *os.getgroups()]
        return cls(name, uid, frozenset(map(group_name, account)), frozenset(map(group_name, process)))

    def joining(self, group: str) -> str:
        """What to do to get what `group` may have."""
        if group in self.process_groups:
            return f"let the group {group} read and write it; {self.name} is in that"
        if group in self.account_groups:
            return f"log out and in again: {self.name} is in the group {group}, but was not when this session began"
        return f"sudo usermod -aG {group} {self.name}, then log out and in again"


def group_name(gid: int) -> str:
    """Of a group, or its number where it has no name."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)
