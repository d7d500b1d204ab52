"""What exists in the asset graph, one package per system."""
