"""`python -m infra.deploy`, by which make calls it."""

import sys

from infra.deploy.command import main

if __name__ == "__main__":
    sys.exit(main())
