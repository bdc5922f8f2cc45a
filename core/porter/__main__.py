"""`python -m porter`: the command `porter`, where its folder is not on the path."""

from __future__ import annotations

from porter.cli.main import main

if __name__ == "__main__":
    main()
