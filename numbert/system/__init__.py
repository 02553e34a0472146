"""What any model needs, not only BERT: files, the hub, threads and progress bars.

checkpoint reads weights, and saving writes them whole or not at all; hub finds a
checkpoint by its name.  datafiles reads training data, jsonfiles reads and writes JSON.
numbers tells which arguments are numbers, parallel runs the parts of a batch in
threads, and progress shows a bar.  This room imports nothing else from numbert.
"""
