"""Claims of speed and size, measured here and now, each beside the thing that it is compared with: python -m benchmarks.NAME --json.

A claim about one core is measured on one: the thread pools of numpy and numba are held at one thread before they load.
"""

import os

for _name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
