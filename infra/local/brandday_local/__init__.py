"""The whole backend on one machine: an AWS emulator, a token issuer, and a deployment of the real template."""
