"""The script for spark-submit; takes the options of `python -m miner spark`::

    spark-submit --master M "$(python -m miner spark --script)" --url stratum+tcp://pool:port --user U --password-file F

Nothing else needs to be said or installed: the job ships the package to the executors itself.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    # Python has put this script's folder first on the path. Where the script belongs to an installed package, the
    # package's parent takes that place; where somebody copied the script alone, --py-files brings the package.
    if sys.version_info < (3, 11):  # noqa: UP036 - nothing else has looked at it yet
        sys.exit("miner spark: sparkminer needs Python 3.11 or later, and the driver's is Python "
                 f"{sys.version_info[0]}.{sys.version_info[1]} ({sys.executable}): set PYSPARK_PYTHON to another")
    above = Path(__file__).resolve().parents[2]
    if (above / "miner" / "spark" / "submit.py").exists():
        sys.path[0] = str(above)
    from miner.front.process import run_process
    from miner.spark import main

    sys.exit(run_process(main, sys.argv[1:]))
