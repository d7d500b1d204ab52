"""What lands: configuration, clocks and facts, and the checks of their shape."""
