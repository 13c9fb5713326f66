"""The task `environment`: what environment.yml asks for is built beside the current generation, proven, then used."""

from provision.playbook.tasks.environment.request import Variant
from provision.playbook.tasks.environment.task import EnvironmentTask

__all__ = ["EnvironmentTask", "Variant"]
