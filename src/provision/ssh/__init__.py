"""The only importer of fabric and paramiko: configuration, host keys, connections, commands."""
