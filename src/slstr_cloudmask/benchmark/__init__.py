"""The benchmark's rules: what is run, timed, logged and kept."""
