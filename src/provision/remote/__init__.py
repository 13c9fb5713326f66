"""What runs on a host: constant scripts, their arguments, and the one place that quotes."""
