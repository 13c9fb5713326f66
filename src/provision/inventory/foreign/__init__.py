"""Hosts that other tools' files list: Ansible, SkyPilot, Ray, dstack; and the same hosts written down for them."""
