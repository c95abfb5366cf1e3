"""How well the alarm system serves its operators: the figures of ISA-18.2 and EEMUA 191, counted from the journal.

What every figure means, with its target and source, is in ``docs/alarm-performance.md``.
"""
