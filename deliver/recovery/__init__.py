"""When to try a failed payment again: learned from past attempts, judged against the fixed schedule.

SQL says what was known before each attempt and which retries may be tried when (`dbt_project/models/dunning/`);
this package learns from it (`train`), picks times (`plan`), estimates what they bring (`evaluate`), and has a
world with known truth to test the three on (`simulator`). `features` is what a model sees, `records` the reading and
landing. The schedule stays the rule: a plan moves a retry within its place in the schedule, or does nothing.
"""
