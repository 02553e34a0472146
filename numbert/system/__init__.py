"""Files, the hub, threads and progress bars: what any model needs, not BERT alone.

checkpoint reads weights and saving writes them, all or nothing; hub finds a checkpoint
by its name; datafiles reads training data.  This room imports nothing else of numbert.
"""
