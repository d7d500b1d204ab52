"""E-invoices: an issued document as Factur-X (PDF/A-3 with CII inside) or UBL 2.1, both after EN 16931.

`terms` turns a document into the business terms of the standard, `files` makes the files. Every amount is one that
was issued; a document that the standard cannot say is refused with the reason, never bent.
"""
