"""`python -m evensight`, for what starts Python by itself, as `accelerate launch -m evensight` does."""

from evensight.cli import main

if __name__ == "__main__":
    main()
