"""Bank statements → the lake: each as a whole (`raw/bank_statements`) and line by line (`raw/bank_lines`).

`mt940`, `camt` and `csv_export` read a format, `statement` says what a statement is and proves that it adds up, `landing` lands
what does. A file with one statement that does not is not landed at all.
"""
