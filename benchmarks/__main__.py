"""`python -m benchmarks`: measure everything, show a table; `QUICK=1` measures less, `WRITE=1` keeps it."""

from __future__ import annotations

import os
import sys
import time

from rich.console import Console

from benchmarks import counts, cycle_cpu, learning_cpu, starting, throughput
from benchmarks.figures import Benchmark, Measured
from benchmarks.report import PAGE, show, write
from infra.local.emulators import google_emulators_missing

THROUGH_THE_STACK = (
    "Publish to Pub/Sub, push to functions-framework, record, decide, submit over REST. A pool of one "
    "replica is full; from its release, by the stand-in's journal, to the next job there: the log line's way "
    "through Pub/Sub, the cycle, the create call."
)
BENCHMARKS = (
    Benchmark(
        title="Cost of a job",
        note="Firestore documents read and written, calls and messages per job, from request to outcome, "
        "sweeps and outcome messages aside; counted, not timed. Bursts: 8 invocations at once.",
        measure=counts.count,
    ),
    Benchmark(
        title="Throughput, embedded Firestore and Pub/Sub",
        note=THROUGH_THE_STACK,
        measure=throughput.embedded,
    ),
    Benchmark(
        title="Throughput, Google's emulators",
        note=THROUGH_THE_STACK,
        measure=throughput.google,
        lacking=google_emulators_missing,
    ),
    Benchmark(
        title="Processor time of a cycle",
        note=f"Median; {cycle_cpu.LINES:,} jobs wait for {cycle_cpu.KINDS} kinds of pools.",
        measure=cycle_cpu.time_cycle,
    ),
    Benchmark(
        title="Processor time of learned run times",
        note=f"Median; runs of {learning_cpu.KINDS} kinds of jobs, and as many keys as are kept.",
        measure=learning_cpu.time_learning,
    ),
    Benchmark(
        title="Start of a function",
        note="Medians over fresh processes; imports in processor time, after functions-framework's own. Each "
        "function may run a cycle, so all need the clients of Firestore, Pub/Sub and Vertex AI, and main.py "
        "is one module for all. Ours loads the clients without garbage collection, which pays for our own "
        "imports (pydantic and PyYAML, which read the settings, and about a hundred dataclasses).",
        measure=starting.measure,
    ),
)


def main() -> int:
    quick, keep = (os.environ.get(name, "") not in {"", "0"} for name in ("QUICK", "WRITE"))
    console = Console()
    load_before = os.getloadavg()[0]
    measured = [_run(benchmark, quick=quick, console=console) for benchmark in BENCHMARKS]
    show(measured, console)
    if keep:
        command = "make bench" + (" QUICK=1" if quick else "")
        write(measured, command=command, loads=(load_before, os.getloadavg()[0]))
        console.print(f"written to {PAGE}", highlight=False)
    return 0


def _run(benchmark: Benchmark, *, quick: bool, console: Console) -> Measured:
    lacking = benchmark.lacking()
    if lacking:
        return Measured(benchmark=benchmark, lacking=lacking)
    began = time.monotonic()
    with console.status(benchmark.title) as status:

        def say(step: str) -> None:
            status.update(f"{benchmark.title}: {step}")
            if not console.is_terminal:
                print(f"{benchmark.title}: {step}", flush=True)

        figures = benchmark.measure(quick, say)
    seconds = time.monotonic() - began
    console.print(f"[green]✓[/] {benchmark.title} [dim]{seconds:.0f} s[/]", highlight=False)
    return Measured(benchmark=benchmark, figures=figures, seconds=seconds)


if __name__ == "__main__":
    sys.exit(main())
