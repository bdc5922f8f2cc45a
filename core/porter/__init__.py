"""porter: from a PyTorch checkpoint to a verified, measured delivery on other hardware.

All that plugins and callers may use is named in `__init__.pyi`, and nothing else is promised. Each name is imported
when it is first used, so that `import porter` costs nothing.
"""

from __future__ import annotations

import sys

if "porter" in sys.orig_argv[1:3] and sys.argv[:1] == ["-m"] and not sys.flags.safe_path:
    # `python -m porter`: Python puts the working folder first, where modules may lie among received files.
    del sys.path[0]

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
