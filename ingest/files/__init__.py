"""Files into streams: CSV, NDJSON, Parquet and CloudEvents, read by the columns that a map names.

Reading and renaming belong here. Judging a row does not: every row, good or bad, goes through
`ratehouse.streams.land`.
"""
