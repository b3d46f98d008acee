"""The one composition root: builds each function's handler from the environment.

Every builder imports what its function needs and nothing else, so that a cold start does not pay for the others. Tests
build the same use cases with fakes; nothing is patched.
"""
