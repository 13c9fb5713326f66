"""Real Linux hosts on one machine: namespaces, an overlay of the machine's root, a real OpenSSH server."""
