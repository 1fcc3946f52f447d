"""`python -m centerclip`, the same as `centerclip`."""

from centerclip.cli import program

if __name__ == "__main__":
    program()
