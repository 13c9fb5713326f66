"""Login names that images are known for.

Sources: "Manage system users on your Linux instance" (Amazon EC2 user guide) for AWS; Alibaba Cloud's images log in as
root, and as ecs-user where that was chosen when the instance was made (ECS user guide, "Logon credentials"). Google's
images make users from keys in metadata, so nothing is known there.
"""

from __future__ import annotations

import re

_AWS = (
    (re.compile(r"ubuntu", re.IGNORECASE), "ubuntu"),
    (re.compile(r"debian", re.IGNORECASE), "admin"),
    (re.compile(r"\b(al20\d\d|amzn|amazon linux)", re.IGNORECASE), "ec2-user"),
    (re.compile(r"rocky", re.IGNORECASE), "rocky"),
    (re.compile(r"\balma", re.IGNORECASE), "ec2-user"),
    (re.compile(r"centos", re.IGNORECASE), "centos"),
    (re.compile(r"fedora", re.IGNORECASE), "fedora"),
    (re.compile(r"\b(rhel|sles|suse)", re.IGNORECASE), "ec2-user"),
)


def aws_user(image_name: str) -> str:
    """Return the login name of an AMI by its name; empty where it tells nothing."""
    return next((user for pattern, user in _AWS if pattern.search(image_name)), "")


def aliyun_user(os_name: str) -> str:
    """Return the login name of an ECS image by its system's name; empty for what is not Linux."""
    return "" if "windows" in os_name.lower() else "root"
