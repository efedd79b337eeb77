"""What is true in the local Soundcharts: charts, tracks, artists, series, and when each is published.

Everything follows from a seed and a name, never from call order or clock, so the same question has the same answer in
any process. Knows no HTTP and no JSON. `world.py` tells what a faultless client stores, which tests compare a
database with. A new irregularity of the real API is a name in `oddities.py`, what it takes away in `holes.py`; a new
platform a line in `accounts.py`.
"""
