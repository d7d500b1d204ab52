"""What people look at. Reads the serving file only; never opens the warehouse or the lake for writing."""
