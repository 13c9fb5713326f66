"""Brings hosts to what their playbook says: values in, events out; reaches hosts through the Link protocol alone."""
