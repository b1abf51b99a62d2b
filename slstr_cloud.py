#!/usr/bin/env python3
"""The reference's command line: ``python slstr_cloud.py --config cloudMaskConfig.yaml``."""

import sys

from slstr_cloudmask.cli.app import main

if __name__ == "__main__":
    sys.argv.insert(1, "benchmark")
    main()
