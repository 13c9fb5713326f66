"""pyinfra's version of the work: seven checks of what an earlier run left on the host."""

from pyinfra import host
from pyinfra.operations import apt, files

HOME = host.data.get("lab_home")
CURRENT = f"{HOME}/.provision/envs/mymodel/mymodel/current"

files.directory(name="miniconda", path=f"{HOME}/miniconda3")
files.file(name="conda", path=f"{HOME}/miniconda3/bin/conda")
files.directory(name="environments", path=f"{HOME}/.provision/envs/mymodel/mymodel")
files.link(name="environment by name", path=f"{HOME}/.conda/envs/mymodel", target=CURRENT)
files.put(name="environment.yml", src="environment.yml", dest=f"{HOME}/bench-environment.yml", mode="644")
files.line(name="a setting", path=f"{HOME}/bench-settings", line="threads = 8")
apt.packages(name="packages", packages=["tar", "gzip"])
