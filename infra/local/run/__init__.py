"""`make run`: the demo of the whole system on this machine, with real training."""
