"""The table, the JSON and the pictures; ``full`` and ``quick`` beside this file hold the last run of each kind."""
