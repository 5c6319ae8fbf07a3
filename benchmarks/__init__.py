"""How fast, how soon and how small: floors, peers and this library, side by side in one run.

    python -m benchmarks                                  # everything
    python -m benchmarks inprocess --rounds 9 --json      # one section

Figures of different runs do not compare: machines drift. Ratios of one run do, for its contenders take turns.
"""
