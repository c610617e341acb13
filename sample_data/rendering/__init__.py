"""A small deferred renderer: geometry fills a G-buffer, light and weather turn it into pictures."""
