"""One file per step, each naming its predecessor."""
