"""Speed of metering and rating, as ratios inside one run: `make bench`, or `python -m tests.benchmarks --help`.

Every ratio compares programs that read the same Parquet files on the same machine minutes apart; seconds alone say little. Each
program runs in a process of its own, so that its CPU seconds and its peak memory are its own. A peer that gets a total wrong is
reported as wrong, whatever its speed; totals are judged against integer sums that the generator keeps of the events before it
makes copies of them.

`data` generates, `ours` runs Ratehouse, `peers` runs the others, `__main__` compares and prints.
"""
