"""The engine: the process that holds the model, the messages it speaks, and the client that starts and asks it.

``requests`` go in, ``semidavil_core.events`` come out; ``protocol`` frames both; ``server`` is the process
(``python -m semidavil_core.engine``), ``handlers`` what it does with a request, ``client`` the other side.
Only ``handlers`` imports torch, so a window that imports ``client`` stays light.
"""
