"""What is thought of a host's GPUs: driver and CUDA tables, and findings from facts; pure."""
