"""What any model needs, not only BERT: files, the hub, threads and the terminal.

Files: checkpoint reads weights, saving writes whole files, places keeps results away
from inputs, hub finds checkpoints by name, datafiles reads data, jsonfiles JSON.
The rest: numbers checks arguments, absent explains names that numbert lacks, parallel
runs threads, progress shows a bar, terminal escapes text.
This room imports nothing else from numbert.
"""

import sys


def versions() -> dict[str, str]:
    """Return what computes here: the versions of numbert, NumPy and Python."""
    package = __name__.partition(".")[0]
    return {"numbert": sys.modules[package].__version__,
            "numpy": sys.modules["numpy"].__version__,
            "python": sys.version.partition(" ")[0]}
