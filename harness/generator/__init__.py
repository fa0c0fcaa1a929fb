"""Generators: pure values that say what to do next. `protocol` says what one is; everything below composes them.

    time_limit(30, clients(stagger(1 / 100, mix(reads, writes))))

- `lift`       plain data (an Op, a function, a sequence) as generators
- `choice`     any_, mix, flip_flop, cycle_times
- `sequence`   concat, phases, then, synchronize
- `bounds`     limit, once, repeat, cycle, process_limit, until_ok, concurrency_limit
- `timing`     stagger, delay, sleep, time_limit, log
- `threads`    clients, nemesis, on_threads, each_thread, each_process, reserve
- `transform`  map_, filter_, f_map, on_update, ignore_updates, trace, validate
- `keys`       sequential_keys, concurrent_keys
- `simulate`   runs a generator with no cluster
"""

from harness.generator.bounds import concurrency_limit, cycle, limit, once, process_limit, repeat, until_ok
from harness.generator.choice import any_, cycle_times, flip_flop, mix
from harness.generator.keys import concurrent_keys, sequential_keys
from harness.generator.lift import lift
from harness.generator.protocol import BUSY, PENDING, Context, Generator, Pending
from harness.generator.sequence import concat, phases, synchronize, then
from harness.generator.threads import clients, each_process, each_thread, nemesis, on_threads, reserve
from harness.generator.timing import delay, log, sleep, stagger, time_limit
from harness.generator.transform import f_map, filter_, ignore_updates, map_, on_update, trace, validate

__all__ = [
    "BUSY",
    "PENDING",
    "Context",
    "Generator",
    "Pending",
    "any_",
    "clients",
    "concat",
    "concurrency_limit",
    "concurrent_keys",
    "cycle",
    "cycle_times",
    "delay",
    "each_process",
    "each_thread",
    "f_map",
    "filter_",
    "flip_flop",
    "ignore_updates",
    "lift",
    "limit",
    "log",
    "map_",
    "mix",
    "nemesis",
    "on_threads",
    "on_update",
    "once",
    "phases",
    "process_limit",
    "repeat",
    "reserve",
    "sequential_keys",
    "sleep",
    "stagger",
    "synchronize",
    "then",
    "time_limit",
    "trace",
    "until_ok",
    "validate",
]
