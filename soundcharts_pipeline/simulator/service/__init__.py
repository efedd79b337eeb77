"""How the local Soundcharts answers: HTTP, credentials, limits, faults, and the shape of every body.

`server.py` runs it, `gate.py` decides what happens to a call before it is answered, `routes.py` has every path.
Values come from the `World`; nothing here invents one. A new endpoint is a line in `routes.py` and a handler in the
file of its kind; a new way to fail is a `Fault` in `faults.py`.
"""
