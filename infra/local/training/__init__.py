"""Small real training programs that the local demo's custom jobs run, each one process of one replica."""

import os

# A replica stands for one machine: without this each process would start a thread for every core of the host.
for _library in ("OMP", "OPENBLAS", "MKL"):
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")
