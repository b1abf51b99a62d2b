"""``python -m slstr_cloudmask`` is ``cloudmask``; ``torchrun -m slstr_cloudmask`` works too."""

from slstr_cloudmask.cli.app import main

if __name__ == "__main__":
    main()
