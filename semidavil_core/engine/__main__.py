"""``python -m semidavil_core.engine``: requests on standard input, events on standard output."""

from semidavil_core.engine.server import main

if __name__ == "__main__":
    main()
