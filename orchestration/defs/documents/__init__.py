"""Documents: the PDFs of what was issued."""
