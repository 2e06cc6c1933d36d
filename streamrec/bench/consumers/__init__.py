"""Programs that read the same records and only decode them, each a process of its own: the baselines of `ingest`.

Each takes Kafka's address, the topics with commas and how many records to read, and prints one line of JSON: `records`,
`seconds` from the first to the last, `cpu_seconds` of the process in that time.
"""
