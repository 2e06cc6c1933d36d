"""State and model from a past log, faster than real time, beside the installation that goes on with what it has.

`builder` folds and learns in memory, by the pure core. `sources` reads the log: files, or the installation's own topics.
`checkpoint` keeps the work on disk. `build` runs it; `handover` writes the result as a new generation of keys, with the
position at which the live agents go on, and switches. See ``ops/decisions/0013-generations.md``.
"""
