"""`python -m numbert.shipped` trains the checkpoints that ship: see numbert/world."""

from .world.shipped import main

if __name__ == "__main__":
    main()
