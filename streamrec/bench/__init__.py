"""How fast it is: one module a benchmark, each beside a baseline that runs in the same minutes on the same machine.

What is compared takes turns, so that a busy minute strikes both; medians of the turns are told with the least and the most.
`figures` is what a benchmark answers, `site` what it runs on, `records` what it is fed with, `cores` where processes run
and what they cost. `consumers` are the programs of the baselines. Then the benchmarks: `ingest` and `growth`,
`freshness`, `lookup`, `folding`, `train`, `overload`.
"""
