"""The proving ground: Crossent and its rivals, side by side in one run, to the same certified gap.

``python -m benchmarks`` runs it, ``docs/benchmarks.md`` says how to read it. The rooms, from low to high:

objective/   the one referee: objective and duality gap of anybody's weights (numpy and scipy only)
datasets/    the data sets, built once and kept in the user's cache folder
rivals/      one small adapter a library, ours among them
worker.py    one library in a process of its own; process.py talks to it
measure.py   the rules: loosest setting that arrives, repeats in turn, caps
rows.py      every row of the table; judges.py what counts as arrived
roofline.py  how fast this machine moves memory, and what a pass must move
results/     the table, the JSON and the pictures
"""
