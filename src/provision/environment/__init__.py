"""environment.yml, its generations, and the judgement of what a host has installed; pure."""
