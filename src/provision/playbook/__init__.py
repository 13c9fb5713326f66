"""What a host should be: playbooks and their tasks."""
