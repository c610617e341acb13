"""The window's parts: each a small widget with ``value()``, ``setValue()``, ``validation_error()`` and a ``changed`` signal."""
