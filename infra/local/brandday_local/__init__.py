"""The whole backend on one machine: an AWS emulator, a token issuer, the real template."""
