"""Runs a generator without a cluster: made-up answers, made-up time, the same lines every time.

    .venv/bin/python examples/simulate_a_generator.py

Three workers write and read one register, an operation every 20 ms on average. The answers are invented below: a write
takes 30 ms, a read 10 ms, and the answer to the second write is lost. Watch what doubt does: process 1 is retired, and
its worker goes on as process 4.
"""

from __future__ import annotations

from harness.generator import Context, Generator, clients, limit, mix, repeat, stagger
from harness.generator.simulate import simulate
from harness.op import Op

READ = Op(f="read", key="x")  # plain data are a generator too; process and time are filled in by whoever asks
MILLISECOND_NS = 1_000_000
LOST = 2


def write(ctx: Context) -> Generator:
    """A function of the context is a generator: it is called for each operation, and draws from the run's seed."""
    return Op(f="write", key="x", value=ctx.random.randrange(100))


class MadeUpRegister:
    """Answers at once, in place of a cluster: remembers what was written, and loses one answer."""

    def __init__(self) -> None:
        self.value: int | None = None
        self.writes = 0

    def answer(self, op: Op) -> tuple[Op, int]:
        """The completion, and how many nanoseconds it took."""
        if op.f == "read":
            return op.ok(self.value), 10 * MILLISECOND_NS
        self.writes += 1
        self.value = op.value
        return (op.info("timeout") if self.writes == LOST else op.ok()), 30 * MILLISECOND_NS


def main() -> None:
    """Print one line per event."""
    program = clients(limit(12, stagger(0.02, mix(write, repeat(READ)))))
    for event in simulate(program, MadeUpRegister().answer, concurrency=3, seed=2):
        told = f"{event.f:<5}  {event.value} {event.error or ''}".rstrip()
        print(f"{(event.time or 0) / 1e9:.3f} s  process {event.process}  {event.type:<6}  {told}")


if __name__ == "__main__":
    main()
