"""The method: source preparation, rounds of semi-supervised adaptation, and the session that holds their state."""
