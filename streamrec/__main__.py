"""``python -m streamrec``: the same as the command ``streamrec``, for processes that one of ours starts."""

from streamrec.cli import main

if __name__ == "__main__":
    main()
