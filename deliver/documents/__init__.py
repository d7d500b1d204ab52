"""Invoices and credit notes as PDF: read the issued document from the marts, lay it out, keep the file.

`model` reads, `formats` and `view` put numbers and words into the customer's language, `render` lays out,
`store` keeps files. Nothing in this package computes a price, a tax or a total; a number that is not in the
marts is not printed. This module imports none of them, so that reading a document does not load a PDF engine.
"""
