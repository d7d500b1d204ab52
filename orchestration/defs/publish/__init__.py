"""What is published: the serving file."""
