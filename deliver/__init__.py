"""The warehouse → the world: documents, mail, payments, tax, accounting. Reads what SQL decided; decides nothing."""
