"""Price books as landed: normalised documents. Their grammar is `ratehouse.price_book`."""

from __future__ import annotations

from orchestration.lib.expectations.suite import Suite, columns, filled, matches

SUITES = (
    Suite(
        name="price_books_shape",
        stream="price_books",
        blocking=True,
        description="Price books have their columns, name, start, JSON document and its hash.",
        expectations=(
            columns("price_books"),
            *filled("tenant_id", "price_book", "effective_from", "document", "content_hash"),
            matches("currency", "^[A-Z]{3}$"),
            matches("document", r'^\{.*"price_book":.*\}$'),
            matches("content_hash", "^[0-9a-f]{64}$"),
        ),
    ),
)
