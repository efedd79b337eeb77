"""Promises of the simulator, checked over real HTTP."""
