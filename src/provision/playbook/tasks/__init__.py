"""One file a task: what it plans and what it judges, from facts alone."""
