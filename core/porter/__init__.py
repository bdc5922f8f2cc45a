"""porter: from a PyTorch checkpoint to a verified, measured delivery on other hardware.

All that plugins and callers may use is named in `__init__.pyi`, and nothing else is promised. Each name is imported
when it is first used, so that `import porter` costs nothing.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
